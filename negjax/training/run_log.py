"""What a run writes of itself: its figures to metrics.jsonl and where else they shall go, its progress, a trace."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from etils import epath

from negjax.config import Experiment
from negjax.runtime.chips import peak_flops
from negjax.runtime.distributed import is_first_process
from negjax.runtime.files import copy_folder, is_local, write_atomic
from negjax.runtime.memory import device_peak_bytes, host_peak_bytes
from negjax.runtime.metrics_log import METRICS_FILE
from negjax.runtime.profiler import ProfileWindow, StepProfiler
from negjax.runtime.progress import TrainingProgress
from negjax.runtime.sinks import MetricSink, open_sinks
from negjax.runtime.step_timer import StepTimer
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER

SECONDS_BETWEEN_COPIES = 60.0  # of the figures to a workdir in a store


class RunLog:
    """The figures, the progress and the trace of a run, as a context manager.

    first: the step that the run starts from; what an earlier run logged after it is dropped. learning_rate: count of
    updates -> rate. window: the steps to trace, if any. In a store, where nothing can be appended, figures are written
    here and copied whole: before each checkpoint (`flush`), now and then, and at the end. Process 0 writes all but
    traces, which each process writes of itself. Every process must call everything.
    """

    def __init__(
        self,
        workdir: epath.Path,
        experiment: Experiment,
        first: int,
        learning_rate: Callable[[int], Any],
        window: ProfileWindow | None = None,
    ) -> None:
        self._workdir, self._experiment, self._first, self._learning_rate = workdir, experiment, first, learning_rate
        self._folder = Path(workdir)
        self._in_store = not is_local(workdir)
        self._profile = StepProfiler(workdir, window)
        self._pace = _pace(experiment)
        self._stack = ExitStack()
        self._sinks: list[MetricSink] = []
        self._progress: TrainingProgress | None = None
        self._held: tuple[int, Mapping[str, jax.Array]] | None = None
        self._asked: Mapping[str, jax.Array] = {}
        self._copied = -math.inf

    def __enter__(self) -> "RunLog":
        experiment, first = self._experiment, self._first
        with self._stack:
            if is_first_process():
                if self._in_store:
                    self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
                    if (self._workdir / METRICS_FILE).exists():
                        (self._folder / METRICS_FILE).write_bytes((self._workdir / METRICS_FILE).read_bytes())
                    self._stack.callback(self._copy)
                sinks = open_sinks(self._folder, self._workdir, experiment.logging, first, experiment.to_dict())
                self._sinks = self._stack.enter_context(sinks)
                self._progress = self._stack.enter_context(TrainingProgress(experiment.steps, first))
            self._stack.enter_context(self._profile)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def step(self, step: int) -> AbstractContextManager[None]:
        """Within, the data of a step are waited for and the devices are asked for it."""
        return self._profile.step(step)

    def waiting(self) -> AbstractContextManager[None]:
        """Within, the loop waits for data."""
        return self._pace.waiting()

    def hold(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Takes a step's metrics, on the device, to be written by the next `fetch`."""
        self._held = step, metrics

    def fetch(self) -> bool:
        """Writes the metrics that are held, if any, which waits for their step. Whether the state stood still in it.

        Then nothing is written: see `negjax.training.guard`.
        """
        if self._held is None:
            return False
        (step, metrics), self._held = self._held, None
        values = {name: float(value) for name, value in jax.device_get(dict(metrics)).items()}
        if values.pop("halted"):
            return True
        rate = float(self._learning_rate(step - 1))
        self._write({"step": step, **values, "learning_rate": rate, **self._pace.collect(), **_memory()})
        if self._progress:
            self._progress.set_loss(values["loss"])
        return False

    def drop(self) -> None:
        """Forgets the metrics that are held."""
        self._held = None
        self._pace.start()

    def flush(self) -> None:
        """As `fetch`, and nothing that was logged can be lost after it."""
        self.fetch()
        self._copy()

    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """Logs the figures of an evaluation, whose time is not the training's."""
        self._write({"step": step, **{f"eval/{name}": value for name, value in figures.items()}})
        self._pace.start()

    def advance(self, step: int, metrics: Mapping[str, jax.Array], flops: float) -> None:
        """The devices were asked for `step` steps in all; waits for the one before, so that they lead the pace.

        Two steps are theirs then, and at most: the next one finds them at work, and no more than its batch is waiting
        in their memory. Of the process's first step it waits for the end, and the timings begin there. flops: model
        operations of the step, over all devices.
        """
        before, self._asked = self._asked, metrics
        if self._pace.started:
            jax.block_until_ready(before)
            self._pace.end_step(flops)
        else:
            jax.block_until_ready(metrics)
            self._pace.start()
        self._profile.end_step(metrics)
        if self._progress:
            self._progress.advance(step)

    def _write(self, values: Mapping[str, Any]) -> None:
        for sink in self._sinks:
            sink.write(values)
        if time.monotonic() - self._copied > SECONDS_BETWEEN_COPIES:
            self._copy()

    def _copy(self) -> None:
        """To the store, if the workdir is in one."""
        if self._in_store and is_first_process() and (self._folder / METRICS_FILE).exists():
            write_atomic(self._workdir / METRICS_FILE, (self._folder / METRICS_FILE).read_bytes())
            copy_folder(self._folder / TENSORBOARD_FOLDER, self._workdir / TENSORBOARD_FOLDER)
            self._copied = time.monotonic()


def _pace(experiment: Experiment) -> StepTimer:
    peak = peak_flops(jax.devices()[0].device_kind)
    examples = sum(source.batch_size for source in experiment.sources.values())
    return StepTimer(examples, peak * jax.device_count() if peak else None)


def _memory() -> dict[str, int]:
    """memory_peak_bytes, of the device of this process that used most; of a CPU host_memory_peak_bytes."""
    peak = device_peak_bytes()
    return {"host_memory_peak_bytes": host_peak_bytes()} if peak is None else {"memory_peak_bytes": peak}
