"""Coordination of the processes of a run: they agree on values, stop at the same step, and end when one fails.

A process that dies silently is noticed by its heartbeat, and JAX then ends all others. One that stops with an error
must leave as promptly (`exit_together`): the normal shutdown of JAX waits for processes that wait for this one.
"""

import atexit
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

from negjax.errors import NegjaxError
from negjax.runtime.lost_process import LOST_PROCESS_STATUS, START_AGAIN, LostProcess, is_lost_connection

EXIT_DELAY_SECONDS = 2  # from an error to the exit, so that processes with the same error can report it too


def is_first_process() -> bool:
    """Whether this is process 0, which alone writes results, shows progress and prints."""
    return jax.process_index() == 0


def check_agreement(value: str, description: str) -> None:
    """Checks that all processes have the same value. Every process must call it.

    Args:
        value: a text, of which the first 64 bytes are compared; a hash for anything longer.
        description: what the value is, for the error, with an article: "a batch size".

    Raises:
        NegjaxError: on every process, when the value of any process differs.
    """
    if jax.process_count() == 1:
        return
    local_bytes = np.frombuffer(value.encode().ljust(64)[:64], np.uint8)
    all_bytes = multihost_utils.process_allgather(local_bytes)
    differing = np.flatnonzero((all_bytes != all_bytes[0]).any(axis=1))
    if len(differing):
        raise NegjaxError(f"process {differing[0]} has {description} other than process 0: give all processes the same")


def broadcast_from_first(tree: object) -> object:
    """Returns the arrays of process 0 on every process.

    Args:
        tree: arrays, of the same shapes and types on every process.
    """
    return tree if jax.process_count() == 1 else multihost_utils.broadcast_one_to_all(tree)


def reached_preemption(number: int) -> bool:
    """Whether all processes stop now because one of them got SIGTERM. True once.

    Processes learn of the signal in the background, and stop at a number that none of them has passed yet.

    Args:
        number: rises by one in every pass of the loop, equally on all processes, which must have joined with
            `preemption`.
    """
    return multihost_utils.reached_preemption_sync_point(number)


@contextmanager
def exit_together() -> Iterator[None]:
    """Makes this process exit promptly after an error in the block, so that the other processes end too.

    The exit status is LOST_PROCESS_STATUS when another process was lost, 2 for any other NegjaxError and 1 for anything
    else. An error with an `exit_code` is raised by all processes at the same step and needs no special exit.

    Raises:
        LostProcess: another process was lost.
    """
    try:
        yield
    except BaseException as error:
        if not jax.distributed.is_initialized() or hasattr(error, "exit_code"):
            raise
        if not is_lost_connection(error):
            exit_without_waiting(2 if isinstance(error, NegjaxError) else 1)
            raise
        exit_without_waiting(LOST_PROCESS_STATUS)
        name = f"process {jax.process_index()} of {jax.process_count()}"
        raise LostProcess(f"{name} lost another one ({one_line(error)}): {START_AGAIN}") from error


def exit_without_waiting(exit_code: int) -> None:
    """Registers an exit at the end of the interpreter that does not wait for the other processes, as JAX's would."""

    def leave() -> None:
        time.sleep(EXIT_DELAY_SECONDS)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)

    atexit.register(leave)


def one_line(error: BaseException) -> str:
    """The first 200 characters of an error's message, in one line; its class where it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__
