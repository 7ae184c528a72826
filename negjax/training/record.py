"""What a run writes of itself: WORKDIR/metrics.jsonl and its progress, from process 0 alone."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from etils import epath

from negjax.runtime.distributed import is_first
from negjax.runtime.files import is_local, write_atomic
from negjax.runtime.metrics import MetricsLog, Progress

FILE = "metrics.jsonl"
SECONDS_BETWEEN_COPIES = 60.0  # of the log to a workdir in a store


class Record:
    """The log and the progress of a run, as a context manager.

    first: the step that the run starts from; what an earlier run logged after it is dropped. examples: in a step.
    learning_rate: count of updates -> rate. In a store, where nothing can be appended, the log is written here and
    copied whole: before each checkpoint (`flush`), now and then, and at the end. Every process must call everything.
    """

    def __init__(
        self, workdir: epath.Path, steps: int, first: int, examples: int, learning_rate: Callable[[int], Any]
    ) -> None:
        self._target = None if is_local(workdir) else workdir / FILE
        self._path = Path(workdir) / FILE
        self._steps, self._first, self._examples, self._learning_rate = steps, first, examples, learning_rate
        self._stack = ExitStack()
        self._log: MetricsLog | None = None
        self._progress: Progress | None = None
        self._pending: tuple[int, Mapping[str, jax.Array]] | None = None
        self._copied = -math.inf
        self.restart()

    def __enter__(self) -> "Record":
        with self._stack:
            if is_first():
                if self._target is not None:
                    self._path = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / FILE
                    if self._target.exists():
                        self._path.write_bytes(self._target.read_bytes())
                    self._stack.callback(self._copy)
                self._log = self._stack.enter_context(MetricsLog(self._path))
                self._log.cut_back(self._first)
                self._progress = self._stack.enter_context(Progress(self._steps, self._first))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def hold(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Takes a step's metrics, on the device, to be written by the next `fetch`."""
        self._pending = step, metrics

    def fetch(self) -> bool:
        """Writes the metrics that are held, if any, which waits for their step. Whether the state stood still in it.

        Then nothing is written: see `negjax.training.guard`.
        """
        if self._pending is None:
            return False
        (step, metrics), self._pending = self._pending, None
        values = {name: float(value) for name, value in jax.device_get(dict(metrics)).items()}
        if values.pop("halted"):
            return True
        rate = float(self._learning_rate(step - 1))
        self._write({"step": step, **values, "learning_rate": rate, **self._rates(step)})
        if self._progress:
            self._progress.show(values["loss"])
        return False

    def drop(self) -> None:
        """Forgets the metrics that are held."""
        self._pending = None
        self.restart()

    def flush(self) -> None:
        """As `fetch`, and nothing that was logged can be lost after it."""
        self.fetch()
        if self._log and self._target is not None:
            self._copy()

    def evaluated(self, step: int, figures: Mapping[str, float]) -> None:
        """Logs the figures of an evaluation, whose time is not the training's."""
        self._write({"step": step, **{f"eval/{name}": value for name, value in figures.items()}})
        self.restart()

    def advance(self, step: int) -> None:
        """`step` steps are done in all."""
        if self._progress:
            self._progress.advance(step)

    def restart(self) -> None:
        """Starts a new interval of the rates at the next fetch: what lies before it is not training."""
        self._since: tuple[int, float] | None = None

    def _rates(self, step: int) -> dict[str, float]:
        """Steps and examples a second since the last call; nothing at the first."""
        before, now = self._since, time.perf_counter()
        self._since = step, now
        if before is None:
            return {}
        rate = (step - before[0]) / (now - before[1])
        return {"steps_per_second": rate, "examples_per_second": rate * self._examples}

    def _write(self, values: Mapping[str, Any]) -> None:
        if self._log is None:
            return
        self._log.write(values)
        if self._target is not None and time.monotonic() - self._copied > SECONDS_BETWEEN_COPIES:
            self._copy()

    def _copy(self) -> None:
        if self._target is not None and self._path.exists():
            write_atomic(self._target, self._path.read_bytes())
            self._copied = time.monotonic()
