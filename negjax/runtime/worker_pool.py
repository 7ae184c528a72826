"""Processes that work for this one, and end with it."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from negjax.runtime.interrupt import finished_first

# Python's tracker of semaphores removes those of a process that was killed; its warning would be all that a user sees.
QUIET_TRACKER = "ignore::UserWarning:multiprocessing.resource_tracker"


class WorkerPool(ProcessPoolExecutor):
    """A pool of processes that end when this one does, however it ends; Ctrl-C in a terminal is left to this one.

    They are spawned, not forked: the threads of JAX and ArrayRecord do not survive that.
    """

    def __init__(self, processes: int) -> None:
        """Starts nothing yet.

        Args:
            processes: at most how many processes work at a time.
        """
        if QUIET_TRACKER not in sys.warnoptions:
            sys.warnoptions.append(QUIET_TRACKER)  # the tracker is started with these options
        super().__init__(processes, get_context("spawn"), initializer=_exit_with_parent)

    def __exit__(self, *_: object) -> None:
        """Lets the processes finish what they work at, and nothing more."""
        self.shutdown(cancel_futures=True)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hands work to a process, and starts one if none is idle."""
        with finished_first(), _interrupt_blocked():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Blocks SIGINT in this thread; a process that is started inherits that, from its first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_with_parent() -> None:
    """Ends this process when its parent dies; the processes of a pool would otherwise wait for it forever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
