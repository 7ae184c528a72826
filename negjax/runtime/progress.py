"""Progress on stderr: a bar on a terminal, a line from time to time in a log file."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

LINE_SECONDS = 30.0  # between lines of a log
REFRESH_SECONDS = 0.05  # between updates of a bar
RATE_SECONDS = 30.0  # over which the rate is averaged


_share_that_follows: ContextVar[float] = ContextVar("share_that_follows", default=0.0)


@contextmanager
def followed_by(share: float) -> Iterator[None]:
    """Progress of training in the block also tells the time left of the work that comes after it.

    Args:
        share: how long that takes, in times of the whole training.
    """
    token = _share_that_follows.set(share)
    try:
        yield
    finally:
        _share_that_follows.reset(token)


class TrainingProgress:
    """Shows steps, loss, steps a second and time left of a training run; a context manager."""

    def __init__(self, total: int, first: int = 0):
        """Sets up the display.

        Args:
            total: the last step.
            first: the step that the run starts from.
        """
        self._display = _make_display("training", total, "step", round(_share_that_follows.get() * total))
        self._loss = ""
        self._first = first

    def __enter__(self) -> "TrainingProgress":
        self._display.start(self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()

    def advance(self, step: int) -> None:
        """Shows that `step` steps are done in all."""
        self._display.show(step, self._loss)

    def set_loss(self, loss: float) -> None:
        """Sets the loss that is shown from now on."""
        self._loss = f"loss {loss:.4f}"


def no_progress(count: int) -> None:
    """Takes the number of items just done, like what `track_progress` gives, and shows nothing."""


@contextmanager
def track_progress(total: int, description: str, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Shows the progress of work on a number of items.

    Args:
        total: number of items.
        description: what is being done, "writing NAME".
        show: False shows nothing.

    Yields:
        A function to call with the number of items just done.
    """
    if not show:
        yield no_progress
        return
    display = _make_display(description, total)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        display.show(done, "")

    display.start(0)
    try:
        yield advance
    finally:
        display.stop()


class _Display(Protocol):
    """Shows the number of items done, with a note."""

    def start(self, done: int) -> None: ...
    def show(self, done: int, note: str) -> None: ...
    def stop(self) -> None: ...


def _make_display(description: str, total: int, unit: str = "", following: int = 0) -> _Display:
    """A bar where stderr is a terminal, else lines. following: items that other work will take the time of."""
    console = Console(stderr=True)
    display_class = _Bar if console.is_terminal else _LogLines
    return display_class(console, description, total, unit, following)


class _Rate:
    """Items a second over the last RATE_SECONDS."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()  # (time, items done)

    def __call__(self, done: int) -> float:
        now = time.monotonic()
        if not self._samples or now - self._samples[-1][0] > RATE_SECONDS / 100:
            self._samples.append((now, done))
        while now - self._samples[0][0] > RATE_SECONDS and len(self._samples) > 1:
            self._samples.popleft()
        first_time, first_done = self._samples[0]
        return (done - first_done) / (now - first_time) if now > first_time else 0.0


class _Bar:
    """A progress bar on a terminal."""

    def __init__(self, console: Console, description: str, total: int, unit: str, following: int):
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}")
        self._bar = rich.progress.Progress(*columns, console=console)
        self._task = self._bar.add_task(description, total=total, note="")
        self._total, self._unit, self._following, self._rate = total, unit, following, _Rate()
        self._last_refresh = 0.0

    def start(self, done: int) -> None:
        self._bar.update(self._task, completed=done)
        self._bar.start()

    def show(self, done: int, note: str) -> None:
        rate = self._rate(done)
        if done == self._total or time.monotonic() - self._last_refresh > REFRESH_SECONDS:
            self._last_refresh = time.monotonic()
            full_note = _format_note(rate, self._total - done, self._following, self._unit, note)
            self._bar.update(self._task, completed=done, note=full_note)

    def stop(self) -> None:
        self._bar.stop()


class _LogLines:
    """Lines of a log: one every LINE_SECONDS, and one at the end of work that took longer than a second."""

    def __init__(self, console: Console, description: str, total: int, unit: str, following: int):
        self._console, self._description, self._total, self._unit = console, description, total, unit
        self._following = following
        self._rate = _Rate()

    def start(self, done: int) -> None:
        self._start_time = self._last_line_time = time.monotonic()
        self._last_line_done = self._done = done
        self._note = ""

    def show(self, done: int, note: str) -> None:
        self._done, self._note = done, note
        rate = self._rate(done)
        if time.monotonic() - self._last_line_time >= LINE_SECONDS:
            self._print(_format_note(rate, self._total - done, self._following, self._unit, note))

    def stop(self) -> None:
        seconds = time.monotonic() - self._start_time
        if seconds > 1 and self._done > self._last_line_done:
            self._print(", ".join(part for part in (self._note, f"{_format_duration(seconds)} in all") if part))

    def _print(self, note: str) -> None:
        self._last_line_time, self._last_line_done = time.monotonic(), self._done
        unit = f"{self._unit} " if self._unit else ""
        line = f"{self._description}: {unit}{self._done:,} of {self._total:,}, {note}"
        self._console.print(line.rstrip(", "), soft_wrap=True, highlight=False, markup=False)


def _format_note(rate: float, remaining: int, following: int, unit: str, note: str) -> str:
    """The note, the rate and the time left, as far as they are known: "loss 3.0, 2 steps/s, 5:40 left"."""
    parts = [
        note,
        f"{rate:.3g} {unit}s/s" if rate and unit else "",
        f"{_format_duration(remaining / rate)} left" if rate else "",
        f"{_format_duration((remaining + following) / rate)} with all that follows" if rate and following else "",
    ]
    return ", ".join(part for part in parts if part)


def _format_duration(seconds: float) -> str:
    """Seconds as "M:SS" or "H:MM:SS"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
