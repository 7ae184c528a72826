"""Builds the shards of a training set in several processes."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context, parent_process
from threading import Thread

from negjax.datasets.build.shard_build import ShardJob, build_shard
from negjax.errors import NegjaxError


def build_shards(jobs: Sequence[ShardJob], processes: int, done: Callable[[int], object]) -> None:
    """Builds the shards that are not complete yet.

    Args:
        jobs: The shards.
        processes: Number of processes that build shards; 1 builds all of them in this process.
        done: Called after each shard with its number of rows.

    Raises:
        NegjaxError: A shard cannot be built, or a process was killed.
    """
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            done(build_shard(job))
        return
    # Not forked: the threads of JAX and ArrayRecord do not survive that.
    with ExitStack() as stack:
        pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_exit_with_parent)
        stack.callback(pool.shutdown, cancel_futures=True)
        try:
            for future in as_completed([pool.submit(build_shard, job) for job in jobs]):
                done(future.result())
        except BrokenProcessPool as error:
            raise NegjaxError(
                "a process of the build was killed (out of memory?): resume with the same command and fewer --processes"
            ) from error


def _exit_with_parent() -> None:
    """Ends this process when its parent dies; the processes of a pool would otherwise wait for it forever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
