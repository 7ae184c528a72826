"""What ends a process that lost another one of its run: an error, or JAX's abort; with an exit status of their own.

Gloo, NCCL and the coordinator raise all kinds of errors when a process does not answer. When its heartbeats stop, or
the coordinator dies, JAX logs a long message and aborts the process from a thread of C++.
"""

import ctypes
import os
import signal

import jax

from negjax.errors import NegjaxError

LOST_PROCESS_STATUS = 75  # EX_TEMPFAIL of sysexits.h: every launcher starts the same command again
START_AGAIN = "see its log for the reason, and start all of them again with the same command"
LOST_WORDS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "Connection", "barrier", "Barrier", "oordination")
_handlers: list[object] = []  # ctypes does not keep the functions that C calls


class LostProcess(NegjaxError):
    """Another process of the run is missing, or died."""

    exit_code = LOST_PROCESS_STATUS


def is_lost_connection(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from or after, says that another process does not answer."""
    while error is not None:
        text = str(error)
        if isinstance(error, jax.errors.JaxRuntimeError) and any(word in text for word in LOST_WORDS):
            return True
        if isinstance(error, ValueError) and "Gloo" in text:  # so says jaxlib when the other end is of another program
            return True
        error = error.__cause__ or error.__context__
    return False


def exit_on_abort(process: str) -> None:
    """From now on a SIGABRT ends this process with a line and LOST_PROCESS_STATUS.

    A signal handler of Python would not do: it runs after the handler in C has returned, when abort ends the process.

    Args:
        process: "process 1 of 2", for the line.
    """
    line = (
        f"negjax: error: {process} was ended by JAX, because another one died or stopped; the message above says "
        f"which: an unhealthy task, or the leader, which is process 0: {START_AGAIN}\n"
    ).encode()

    def leave(_: int) -> None:
        try:
            os.write(2, line)
        finally:
            os._exit(LOST_PROCESS_STATUS)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(leave)
    _handlers.append(handler)
    ctypes.CDLL(None).signal(signal.SIGABRT, handler)
