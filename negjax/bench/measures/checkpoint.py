"""Checkpoints of a training state: until one is on disk, and until it is restored and its checksums are compared."""

import shutil
import tempfile

import jax

from negjax.bench.measures.setup import bench_run, peak_bytes
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source
from negjax.runtime.checkpoint import Checkpoints
from negjax.training.guard import State
from negjax.training.prepare import PreparedRun


def save(settings: BenchSettings) -> Workload:
    """Parameters, moments and metadata, written to a temporary folder."""
    run, state = _state(settings)

    def write(times: int) -> None:
        for _ in range(times):
            folder = tempfile.mkdtemp(dir=settings.folder)
            with Checkpoints(f"{folder}/checkpoints") as checkpoints:
                checkpoints.save(1, state, run.checkpoint_meta())
            shutil.rmtree(folder)

    return Workload(write, _megabytes(state), "MB", peak_bytes)


def restore(settings: BenchSettings) -> Workload:
    """The newest checkpoint onto the devices, as a run that resumes reads it."""
    run, state = _state(settings)
    folder = tempfile.mkdtemp(dir=settings.folder)
    with Checkpoints(f"{folder}/checkpoints") as checkpoints:
        checkpoints.save(1, state, run.checkpoint_meta())
    size = _megabytes(state)
    del state

    def read(times: int) -> None:
        for _ in range(times):
            jax.block_until_ready(Checkpoints(f"{folder}/checkpoints").restore_newest(run.program.state))

    return Workload(read, size, "MB", peak_bytes)


def _state(settings: BenchSettings) -> tuple[PreparedRun, State]:
    run = bench_run(settings, {"train": Source(settings.train_set, settings.batch, contrastive=1.0)})
    return run, run.program.begin(run.initial_params())


def _megabytes(state: State) -> int:
    return round(sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 1e6)
