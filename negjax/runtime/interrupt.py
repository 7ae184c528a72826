"""Ctrl-C: a command ends at once, with status 130 and one line, whatever it is doing."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED_STATUS = 130
SHOW_CURSOR = "\x1b[?25h\n"  # progress bars hide it
SECONDS_TO_FINISH = 5  # at most, for a block of `finished_first`
_leaving = threading.Event()
_unfinished = threading.Lock()


def exit_on_interrupt() -> None:
    """From now on SIGINT ends this process, unless whoever started it has it ignored, as nohup does.

    A KeyboardInterrupt would rise anywhere: in callbacks of C++, which swallow it or crash, and not at all while XLA
    compiles or waits for another process; and at the end of the interpreter XLA's threads would crash. So a thread ends
    the process as a kill would: every file is complete or absent at any moment. Temporaries are removed.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)  # gets the number of each signal with a handler
        threading.Thread(target=_leave_on_interrupt, args=(reading,), daemon=True).start()
        signal.signal(signal.SIGINT, lambda *_: None)
        # Python restores the default while it ends, by which an interrupt would kill a command that has finished.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked by `hold_interrupt`


def hold_interrupt() -> None:
    """Delays SIGINT until `exit_on_interrupt`, also in the program that this process is about to execute."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def finished_first() -> Iterator[None]:
    """A short block that an interrupt lets end first, such as the start of a process, which would else complain."""
    if _leaving.is_set():
        threading.Event().wait()  # until the process ends
    with _unfinished:
        yield


def _leave_on_interrupt(signals: int) -> None:
    """Waits for SIGINT among the signals whose numbers arrive on a file descriptor, and ends the process."""
    while signal.SIGINT not in os.read(signals, 64):
        pass
    _leaving.set()
    _unfinished.acquire(timeout=SECONDS_TO_FINISH)
    try:
        with suppress(OSError):
            os.write(2, f"{SHOW_CURSOR if os.isatty(2) else ''}negjax: interrupted\n".encode())
        if temporary := sys.modules.get("negjax.runtime.temporary"):
            temporary.remove_current()
    finally:
        os._exit(INTERRUPTED_STATUS)
