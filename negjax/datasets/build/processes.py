"""Builds the shards of a training set in several processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from negjax.datasets.build.shard_build import ShardJob, build_shard
from negjax.errors import NegjaxError
from negjax.runtime.worker_pool import WorkerPool


def build_shards(jobs: Sequence[ShardJob], processes: int, on_shard: Callable[[ShardJob, np.ndarray], object]) -> None:
    """Builds the shards that are not complete yet.

    Args:
        jobs: The shards.
        processes: Number of processes that build shards; 1 builds all of them in this process.
        on_shard: Called after each shard, with its images as in `SetImages.add`.

    Raises:
        NegjaxError: A shard cannot be built, or a process was killed.
    """
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            on_shard(job, build_shard(job))
        return
    with WorkerPool(processes) as pool:
        try:
            futures = {pool.submit(build_shard, job): job for job in jobs}
            for future in as_completed(futures):
                on_shard(futures[future], future.result())
        except BrokenProcessPool as error:
            raise NegjaxError(
                "a process of the build was killed (out of memory?): resume with the same command and fewer --processes"
            ) from error
