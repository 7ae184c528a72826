"""Progress for people, on stderr: a bar on a terminal, a plain line now and then in a log file."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_DRAWINGS = 0.05
RATE_SECONDS = 30.0  # rates are means over so much of the past


class Progress:
    """Progress of training: steps done, loss, steps a second and time left. A context manager.

    total: the last step. first: the step the run starts from.
    """

    def __init__(self, total: int, first: int = 0):
        self._display = _display("training", total, "step")
        self._loss = ""
        self._first = first

    def __enter__(self) -> "Progress":
        self._display.start(self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()

    def advance(self, step: int) -> None:
        """`step` steps are done in all."""
        self._display.show(step, self._loss)

    def show(self, loss: float) -> None:
        """Shows this loss from now on."""
        self._loss = f"loss {loss:.4f}"


def ignore(pieces: int) -> None:
    """Reports no progress."""


@contextmanager
def counter(total: int, description: str, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Shows progress of work in `total` pieces; gives a function to call with the number of pieces just done.

    show: False for work that shall be silent.
    """
    if not show:
        yield ignore
        return
    display = _display(description, total)
    done = 0

    def advance(pieces: int) -> None:
        nonlocal done
        done += pieces
        display.show(done, "")

    display.start(0)
    try:
        yield advance
    finally:
        display.stop()


class _Display(Protocol):
    def start(self, done: int) -> None: ...
    def show(self, done: int, note: str) -> None: ...
    def stop(self) -> None: ...


def _display(description: str, total: int, unit: str = "") -> _Display:
    console = Console(stderr=True)
    kind = _Bar if console.is_terminal else _LogLines
    return kind(console, description, total, unit)


class _Rate:
    """Pieces a second over the last RATE_SECONDS."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, int]] = deque()

    def __call__(self, done: int) -> float:
        """The rate now that `done` pieces are done; 0 at the first call."""
        now = time.monotonic()
        if not self._past or now - self._past[-1][0] > RATE_SECONDS / 100:
            self._past.append((now, done))
        while now - self._past[0][0] > RATE_SECONDS and len(self._past) > 1:
            self._past.popleft()
        since, before = self._past[0]
        return (done - before) / (now - since) if now > since else 0.0


class _Bar:
    """A bar on a terminal."""

    def __init__(self, console: Console, description: str, total: int, unit: str):
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}")
        self._bars = Bars(*columns, console=console)
        self._task = self._bars.add_task(description, total=total, note="")
        self._total, self._unit, self._rate = total, unit, _Rate()
        self._drawn = 0.0

    def start(self, done: int) -> None:
        self._bars.update(self._task, completed=done)
        self._bars.start()

    def show(self, done: int, note: str) -> None:
        rate = self._rate(done)
        if done == self._total or time.monotonic() - self._drawn > SECONDS_BETWEEN_DRAWINGS:
            self._drawn = time.monotonic()
            self._bars.update(self._task, completed=done, note=_note(rate, self._total - done, self._unit, note))

    def stop(self) -> None:
        self._bars.stop()


class _LogLines:
    """Lines in a log: one each SECONDS_BETWEEN_LINES, and one at the end of what took longer than a second."""

    def __init__(self, console: Console, description: str, total: int, unit: str):
        self._console, self._description, self._total, self._unit = console, description, total, unit
        self._rate = _Rate()

    def start(self, done: int) -> None:
        self._begun = self._shown = time.monotonic()
        self._last = self._done = done
        self._note = ""

    def show(self, done: int, note: str) -> None:
        self._done, self._note = done, note
        rate = self._rate(done)
        if time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._print(_note(rate, self._total - done, self._unit, note))

    def stop(self) -> None:
        seconds = time.monotonic() - self._begun
        if seconds > 1 and self._done > self._last:
            self._print(", ".join(part for part in (self._note, f"{_duration(seconds)} in all") if part))

    def _print(self, note: str) -> None:
        self._shown, self._last = time.monotonic(), self._done
        unit = f"{self._unit} " if self._unit else ""
        line = f"{self._description}: {unit}{self._done:,} of {self._total:,}, {note}"
        self._console.print(line.rstrip(", "), soft_wrap=True, highlight=False, markup=False)


def _note(rate: float, left: int, unit: str, note: str) -> str:
    parts = [note, f"{rate:.3g} {unit}s/s" if rate and unit else "", f"{_duration(left / rate)} left" if rate else ""]
    return ", ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
