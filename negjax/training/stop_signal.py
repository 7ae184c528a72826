"""SIGTERM as a request to stop after the current step, in one process or in many."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import jax

from negjax.errors import NegjaxError
from negjax.runtime.distributed import reached_preemption


class Preempted(NegjaxError):
    """The run was asked to stop, and did so after a checkpoint."""

    exit_code = 143  # 128 + SIGTERM, which launchers restart


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """A context in which SIGTERM does not end the process but is reported.

    Yields:
        a function to be called once in each pass of the loop: whether to stop. Of several processes all stop in the
        same pass, whichever got the signal. Once true it remains true.
    """
    received: list[bool] = []
    if jax.process_count() > 1:
        passes = count(1)  # not steps, some of which are repeated after a roll-back

        def is_reached() -> bool:
            if reached_preemption(next(passes)):
                received.append(True)
            return bool(received)

        yield is_reached
        return
    before = signal.signal(signal.SIGTERM, lambda *_: received.append(True))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)
