"""What runs in a process of its own: it prepares one work and times a round of it whenever it is asked to.

Each work has its own process, so that the peak of its memory is its own. This file imports neither JAX nor PyTorch:
the module of the work does.
"""

import importlib
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any

from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload, repeats_of, seconds_of
from negjax.errors import NegjaxError
from negjax.runtime.worker_pool import WorkerPool

_prepared: dict[str, Any] = {}  # of this process: its work, and the repetitions of a round


def prepare(target: str, settings: BenchSettings, warmup: int) -> Workload:
    """Prepares a work and warms it up.

    Args:
        target: "package.module:function", a function of the settings that returns a `Workload`.
        settings: what to measure.
        warmup: repetitions before the first round; 0 for work of which only the first time counts.
    """
    module, _, name = target.partition(":")
    work: Workload = getattr(importlib.import_module(module), name)(settings)
    repeats = 1
    for _ in range(warmup):
        repeats = repeats_of(seconds_of(work, 1))
    _prepared.update(work=work, repeats=repeats)
    return work


def time_round() -> float:
    """Seconds of one repetition of the prepared work, over a round."""
    return seconds_of(_prepared["work"], _prepared["repeats"])


def _describe(target: str, settings: BenchSettings, warmup: int) -> dict[str, Any]:
    return prepare(target, settings, warmup).describe()


def _peak_bytes() -> tuple[int, str]:
    return _prepared["work"].peak_bytes()


class BenchProcess:
    """A process for one work, as a context manager that ends it."""

    def __init__(self, name: str) -> None:
        """Starts nothing yet. name: of the work, for errors."""
        self._name, self._pool = name, WorkerPool(1)

    def __enter__(self) -> "BenchProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=error is None, cancel_futures=True)

    def prepare(self, target: str, settings: BenchSettings, warmup: int) -> dict[str, Any]:
        """As `prepare` of this module; returns the work's description."""
        return self._call(_describe, target, settings, warmup)

    def time_round(self) -> float:
        """As `time_round` of this module."""
        return self._call(time_round)

    def peak_bytes(self) -> tuple[int, str]:
        """The largest memory so far, and of what."""
        return self._call(_peak_bytes)

    def call(self, function: Any, *args: Any) -> Any:
        """Calls a function in the process."""
        return self._call(function, *args)

    def _call(self, function: Any, *args: Any) -> Any:
        try:
            return self._pool.submit(function, *args).result()
        except BrokenProcessPool as error:
            raise NegjaxError(
                f"the process that measures {self._name} was killed, perhaps for lack of memory: lower --batch"
            ) from error
