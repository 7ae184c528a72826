"""Compilation of the NegFull step, without a cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import jax
from jax.experimental.compilation_cache import compilation_cache

from negjax.bench.measures.setup import bench_run, peak_bytes
from negjax.bench.measures.train import NEGATED
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source
from negjax.input.broken import BrokenRows
from negjax.training.stream import stream_batches


def step(settings: BenchSettings) -> Workload:
    """From the first trace of the step to the program for the devices."""
    source = Source(settings.train_set, settings.batch, contrastive=0.99, mcq=0.01, negated_fraction=NEGATED)
    run = bench_run(settings, {"train": source})
    stream = stream_batches(run, {"train": BrokenRows(run.experiment.most_broken)}, 0)
    (batch,) = list(islice(stream, 1))

    def compile_step(times: int) -> None:
        for _ in range(times):
            jax.clear_caches()
            with _without_cache():
                run.program.step.lower(run.program.state, batch.arrays, None).compile()

    return Workload(compile_step, 1, "programs", peak_bytes)


@contextmanager
def _without_cache() -> Iterator[None]:
    """Neither reads nor writes the cache on disk. JAX looks at its setting once, until it is reset."""
    before = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()
