"""The standard streams of a command: messages that cannot be written are lost, and never end the work."""

import io
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO

from negjax.runtime.printable import printable_lines

logger = logging.getLogger(__name__)


class LossyStream(io.TextIOBase):
    """A text stream that drops what its target does not take: a full disk, a closed pipe."""

    def __init__(self, target: TextIO) -> None:
        self._target = target

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._target.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._target.errors

    def fileno(self) -> int:
        return self._target.fileno()

    def isatty(self) -> bool:
        return self._target.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._target.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):  # ValueError: it is closed, at the end of the interpreter
            self._target.flush()


def guard_streams() -> None:
    """Makes stderr lossy, and opens closed streams on /dev/null: a file that took their number would get messages."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = LossyStream(os.fdopen(2, "w", closefd=False) if sys.stderr is None else sys.stderr)


def discard_output() -> None:
    """Discards what stdout no longer accepts; Python would print an error at exit."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def announce(text: str, table: str = "") -> None:
    """Prints what a command has done and written to files. If stdout does not take it, the work is still done.

    Args:
        text: lines; names of files and texts of others in them act on no terminal.
        table: printed before them, as it is rendered.
    """
    try:
        print(f"{table}{printable_lines(text)}", flush=True)
    except BrokenPipeError:  # the reader of the output is gone
        discard_output()
    except OSError as error:
        discard_output()
        logger.warning("the output cannot be printed (%s); what the command wrote to files is complete", error.strerror)
