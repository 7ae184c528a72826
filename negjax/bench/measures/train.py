"""Training steps: the program of `negjax train` on batches of its pipeline, which lie on the devices already."""

from collections.abc import Mapping
from itertools import islice

import jax

from negjax.bench.measures.setup import bench_run, peak_bytes, peak_flops_of_devices
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source
from negjax.input.broken import BrokenRows
from negjax.training.stream import stream_batches

NEGATED = 0.75  # share of negated captions in a batch of NegFull, as in configs/finetune_negfull.py


def contrastive(settings: BenchSettings) -> Workload:
    """A step on pairs of an image and a caption."""
    source = Source(settings.train_set, settings.batch, contrastive=1.0)
    return step_workload(settings, {"train": source})


def mcq(settings: BenchSettings) -> Workload:
    """A step on questions."""
    return step_workload(settings, {"train": Source(settings.train_set, settings.batch, mcq=1.0)})


def negfull(settings: BenchSettings) -> Workload:
    """A step on images, each with a caption and a question."""
    source = Source(settings.train_set, settings.batch, contrastive=0.99, mcq=0.01, negated_fraction=NEGATED)
    return step_workload(settings, {"train": source})


def step_workload(settings: BenchSettings, sources: Mapping[str, Source]) -> Workload:
    """Steps on `settings.batches` batches in turns; each was run once, so that nothing is compiled later.

    Its results are the loss and the gradient's norm of the first step, and the loss of the second.
    """
    run, count = bench_run(settings, sources), settings.batches
    broken = {name: BrokenRows(run.experiment.most_broken) for name in sources}
    batches = list(islice(stream_batches(run, broken, 0), count))
    state = run.program.begin(run.initial_params())
    run.release_start()
    trail = []
    for batch in [*batches, batches[0]]:
        state, metrics = run.program.step(state, batch.arrays, None)
        trail.append({name: float(metrics[name]) for name in ("loss", "gradient_norm")})
    position = 0

    def step(times: int) -> None:
        nonlocal state, position
        metrics = {}
        for _ in range(times):
            state, metrics = run.program.step(state, batches[position % count].arrays, None)
            position += 1
        jax.block_until_ready((state, metrics))

    work = sum((batch.work for batch in batches[1:]), batches[0].work)
    return Workload(
        step,
        items=sum(source.batch_size for source in sources.values()),
        unit="examples",
        peak_bytes=peak_bytes,
        flops=work.flops / count,
        peak_flops=peak_flops_of_devices(),
        results={"losses": [trail[0]["loss"], trail[1]["loss"]], "gradient norm": [trail[0]["gradient_norm"]]},
        device=jax.default_backend(),
        real_token_share=work.real_tokens / work.tokens if work.tokens else None,
    )
