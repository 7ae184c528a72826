"""The training pipeline alone: reading, decoding, resizing, drawing, tokenizing, and the way to the devices."""

from itertools import islice

import jax

from negjax.bench.measures.setup import bench_run, peak_bytes
from negjax.bench.measures.train import NEGATED
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source
from negjax.input.broken import BrokenRows
from negjax.training.stream import stream_batches

MOST_EXAMPLES = 8192  # of an epoch that is timed


def pipeline(settings: BenchSettings) -> Workload:
    """An epoch of NegFull's batches from the start of the pipeline, so that no decoded image is kept from before."""
    source = Source(settings.train_set, settings.batch, contrastive=0.99, mcq=0.01, negated_fraction=NEGATED)
    run = bench_run(settings, {"train": source})
    batches = max(1, min(len(run.data.sources["train"].data), MOST_EXAMPLES) // settings.batch)

    def epoch(times: int) -> None:
        for _ in range(times):
            stream = stream_batches(run, {"train": BrokenRows(run.experiment.most_broken)}, 0)
            for batch in islice(stream, batches):
                jax.block_until_ready(batch.arrays)

    return Workload(epoch, batches * settings.batch, "examples", peak_bytes, note=f"{run.data.threads} threads")
