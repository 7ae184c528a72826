"""A trace of a few steps, for TensorBoard, xprof and Perfetto."""

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import copy_folder, is_local

PROFILE = "profile"  # folder in the workdir

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """Steps `first` to `last`, both included, as a process counts its own from 1.

    The first one, which is compiled, cannot be among them. Later ones may be compiled too, where captions are longer
    or shorter than all before.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 2 <= self.first <= self.last:
            raise NegjaxError(
                f"--profile {self.first}:{self.last}: it must be FIRST:LAST, and FIRST at least 2, for step 1 compiles"
            )


def parse_window(text: str) -> Window:
    """Of "FIRST:LAST". Raises NegjaxError for anything else."""
    found = re.fullmatch(r"(\d+):(\d+)", text)
    if not found:
        raise NegjaxError(f"--profile {text}: it must be FIRST:LAST, as in 10:15")
    return Window(int(found[1]), int(found[2]))


class Profile:
    """Writes the trace of a window of steps to WORKDIR/profile, as a context manager. window: None for no trace.

    Each of several processes writes its own, to a folder with its number.
    """

    def __init__(self, workdir: epath.Path, window: Window | None) -> None:
        self._window, self._done, self._tracing = window, 0, False
        several = jax.process_count() > 1
        self._target = workdir / PROFILE / (f"process_{jax.process_index()}" if several else "")
        self._temporary: tempfile.TemporaryDirectory | None = None

    def __enter__(self) -> "Profile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracing:
            self._stop()
        elif self._window and self._done < self._window.first and kind is None:
            logger.warning("no trace was written: this process ran %d steps", self._done)

    @contextmanager
    def step(self, step: int) -> Iterator[None]:
        """What asks the devices for a step is done within."""
        self._done += 1
        if self._window and self._done == self._window.first:
            self._start()
        with jax.profiler.StepTraceAnnotation("train", step_num=step):
            yield

    def after(self, results: Any) -> None:
        """Ends the trace after the window's last step. results: arrays of that step, for which it waits."""
        if self._tracing and self._window and self._done >= self._window.last:
            jax.block_until_ready(results)
            self._stop()

    def _start(self) -> None:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # else every call of the threads that load data is in it
        if not is_local(self._target):
            self._temporary = tempfile.TemporaryDirectory()
        jax.profiler.start_trace(self._folder(), profiler_options=options)
        self._tracing = True

    def _folder(self) -> Path:
        return Path(self._temporary.name if self._temporary else self._target)

    def _stop(self) -> None:
        self._tracing = False
        jax.profiler.stop_trace()
        if self._temporary:
            copy_folder(self._folder(), self._target)
            self._temporary.cleanup()
        logger.info("a trace is in %s: pip install xprof, and xprof --logdir %s", self._target, self._target)
