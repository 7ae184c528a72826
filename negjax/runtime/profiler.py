"""Traces of a few training steps, for TensorBoard, xprof and Perfetto."""

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
from negjax.runtime.files import copy_folder
from negjax.runtime.paths import is_local

PROFILE_FOLDER = "profile"  # in the workdir

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProfileWindow:
    """The steps to trace, as the process counts its own from 1.

    Step 1, which is compiled, cannot be traced. Later steps may be compiled too, where captions are longer or shorter
    than in all steps before.

    Attributes:
        first: first step of the trace, at least 2.
        last: last step of the trace.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 2 <= self.first <= self.last:
            raise NegjaxError(
                f"--profile {self.first}:{self.last}: it must be FIRST:LAST, and FIRST at least 2, for step 1 compiles"
            )


def parse_window(text: str) -> ProfileWindow:
    """Returns the window of "FIRST:LAST".

    Raises:
        NegjaxError: for any other text.
    """
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match:
        raise NegjaxError(f"--profile {text}: it must be FIRST:LAST, as in 10:15")
    return ProfileWindow(int(match[1]), int(match[2]))


class StepProfiler:
    """Writes the trace of a window of steps to WORKDIR/profile; a context manager.

    Each of several processes writes its own trace, to a folder with its index.
    """

    def __init__(self, workdir: epath.Path, window: ProfileWindow | None) -> None:
        """Sets up a profiler.

        Args:
            workdir: of the run, local or in a store.
            window: the steps to trace; None for no trace.
        """
        self._window, self._steps, self._tracing = window, 0, False
        process_folder = f"process_{jax.process_index()}" if jax.process_count() > 1 else ""
        self._target = workdir / PROFILE_FOLDER / process_folder
        self._temporary: tempfile.TemporaryDirectory | None = None

    def __enter__(self) -> "StepProfiler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracing:
            self._stop()
        elif self._window and self._steps < self._window.first and kind is None:
            logger.warning("no trace was written: this process ran %d steps", self._steps)

    @contextmanager
    def step(self, step: int) -> Iterator[None]:
        """Marks the block that dispatches step number `step` to the devices, and starts the trace with the window."""
        self._steps += 1
        if self._window and self._steps == self._window.first:
            self._start()
        with jax.profiler.StepTraceAnnotation("train", step_num=step):
            yield

    def end_step(self, results: Any) -> None:
        """Ends the trace after the last step of the window.

        Args:
            results: arrays of the step, which are waited for.
        """
        if self._tracing and self._window and self._steps >= self._window.last:
            jax.block_until_ready(results)
            self._stop()

    def _start(self) -> None:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # without the calls of the threads that load data
        if not is_local(self._target):
            self._temporary = tempfile.TemporaryDirectory()
        jax.profiler.start_trace(self._local_folder(), profiler_options=options)
        self._tracing = True

    def _stop(self) -> None:
        self._tracing = False
        jax.profiler.stop_trace()
        if self._temporary:
            copy_folder(self._local_folder(), self._target)
            self._temporary.cleanup()
        logger.info("wrote a trace to %s: pip install xprof, and xprof --logdir %s", self._target, self._target)

    def _local_folder(self) -> Path:
        """The folder that JAX writes to: the target, or a temporary one where that is in a store."""
        return Path(self._temporary.name if self._temporary else self._target)
