"""The output of a run: metrics in metrics.jsonl and other sinks, progress, and a trace."""

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
from negjax.runtime.files import copy_folder, write_atomic
from negjax.runtime.memory import device_peak_bytes, host_peak_bytes
from negjax.runtime.metrics_log import METRICS_FILE
from negjax.runtime.paths import is_local
from negjax.runtime.profiler import ProfileWindow, StepProfiler
from negjax.runtime.progress import TrainingProgress
from negjax.runtime.sinks import MetricSink, open_sinks
from negjax.runtime.step_timer import StepTimer, StepWork
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER

SECONDS_BETWEEN_COPIES = 60.0  # of the metrics to a workdir in a store


class RunLog:
    """The metrics, the progress and the trace of a run, as a context manager.

    In a store (gs://), where files cannot be appended to, metrics are written to a local folder and copied as a whole:
    before each checkpoint (`flush`), every SECONDS_BETWEEN_COPIES, and at the end. Process 0 writes everything except
    traces, which each process writes of itself. Every process must call all methods.
    """

    def __init__(
        self,
        workdir: epath.Path,
        experiment: Experiment,
        first: int,
        learning_rate: Callable[[int], Any],
        window: ProfileWindow | None = None,
    ) -> None:
        """Writes nothing yet.

        Args:
            workdir: where to write.
            experiment: the settings.
            first: the step that the run starts from; what an earlier run logged after it is dropped.
            learning_rate: count of updates -> learning rate.
            window: the steps to trace, if any.
        """
        self._workdir, self._experiment, self._first, self._learning_rate = workdir, experiment, first, learning_rate
        self._folder = Path(workdir)
        self._in_store = not is_local(workdir)
        self._profile = StepProfiler(workdir, window)
        self._timer = _step_timer(experiment)
        self._stack = ExitStack()
        self._sinks: list[MetricSink] = []
        self._progress: TrainingProgress | None = None
        self._dispatched: Mapping[str, jax.Array] = {}
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
        """A context for waiting for the data of a step and dispatching it."""
        return self._profile.step(step)

    def waiting(self) -> AbstractContextManager[None]:
        """A context for waiting for data, which is timed."""
        return self._timer.waiting()

    def write_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes the metrics of a step that the devices have just ended, and the timings since the last call."""
        rate = float(self._learning_rate(step - 1))
        self._write({"step": step, **metrics, "learning_rate": rate, **self._timer.collect(), **_memory()})
        if self._progress:
            self._progress.set_loss(metrics["loss"])

    def restart_timings(self) -> None:
        """Restarts the timings; the time before is not counted as training."""
        self._timer.start()

    def flush(self) -> None:
        """Makes sure that everything written so far is in the workdir."""
        self._copy()

    def write_evaluation(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes the figures of an evaluation, whose time is not counted as training."""
        self._write({"step": step, **{f"eval/{name}": value for name, value in figures.items()}})
        self._timer.start()

    def advance(self, step: int, metrics: Mapping[str, jax.Array], work: StepWork) -> None:
        """Records that `step` was dispatched, and waits for the step before.

        So the devices always have the next step while they compute one, and at most one batch waits in their memory.
        For the first step of the process it waits for the end, and timings begin there.

        Args:
            step: number of the step.
            metrics: its metrics, on the device.
            work: what it computes.
        """
        before, self._dispatched = self._dispatched, metrics
        if self._timer.started:
            jax.block_until_ready(before)
            self._timer.end_step(work)
        else:
            jax.block_until_ready(metrics)
            self._timer.start()
        self._profile.end_step(metrics)
        if self._progress:
            self._progress.advance(step)

    def _write(self, values: Mapping[str, Any]) -> None:
        for sink in self._sinks:
            sink.write(values)
        if time.monotonic() - self._copied > SECONDS_BETWEEN_COPIES:
            self._copy()

    def _copy(self) -> None:
        """Copies the metrics to the store, if the workdir is in one."""
        if self._in_store and is_first_process() and (self._folder / METRICS_FILE).exists():
            write_atomic(self._workdir / METRICS_FILE, (self._folder / METRICS_FILE).read_bytes())
            copy_folder(self._folder / TENSORBOARD_FOLDER, self._workdir / TENSORBOARD_FOLDER)
            self._copied = time.monotonic()


def _step_timer(experiment: Experiment) -> StepTimer:
    peak = peak_flops(jax.devices()[0].device_kind)
    examples = sum(source.batch_size for source in experiment.sources.values())
    return StepTimer(examples, peak * jax.device_count() if peak else None)


def _memory() -> dict[str, int]:
    """memory_peak_bytes of the device of this process that used most; on a CPU host_memory_peak_bytes."""
    peak = device_peak_bytes()
    return {"host_memory_peak_bytes": host_peak_bytes()} if peak is None else {"memory_peak_bytes": peak}
