"""Timings of the training loop: throughput, step times, time spent waiting for data, model FLOP/s and MFU."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

# Keys of a line of metrics.jsonl that differ between runs which are otherwise identical.
TIMING_KEYS = (
    "steps_per_second",
    "examples_per_second",
    "step_seconds_p50",
    "step_seconds_p90",
    "data_wait_fraction",
    "model_flops_per_second",
    "mfu",
    "real_token_share",
    "memory_peak_bytes",
    "host_memory_peak_bytes",
)


@dataclass(frozen=True)
class StepWork:
    """What a step computes.

    Attributes:
        flops: model FLOPs over all devices, without padding.
        real_tokens: tokens of captions that decide an embedding, of this process's rows.
        tokens: those and the padding that is computed with them.
    """

    flops: float = 0.0
    real_tokens: int = 0
    tokens: int = 0

    def __add__(self, other: "StepWork") -> "StepWork":
        return StepWork(self.flops + other.flops, self.real_tokens + other.real_tokens, self.tokens + other.tokens)


class StepTimer:
    """Measures the steps of a loop, on the host, between one line of its log and the next.

    Devices run asynchronously, so a pass of the loop takes as long as a step only where the loop waits in each pass for
    the step before it (`negjax.training.run_log.RunLog.advance` does). Whatever else happens in a pass, such as saving,
    counts; evaluations and the first step, which is compiled, do not.
    """

    def __init__(self, batch_size: int, peak_flops: float | None = None) -> None:
        """Sets up a timer that is not started.

        Args:
            batch_size: examples of a step.
            peak_flops: FLOP/s of all devices together; None if unknown.
        """
        self._batch_size, self._peak_flops = batch_size, peak_flops
        self.started = False

    def start(self) -> None:
        """Starts the measurement over; what was measured before is dropped."""
        self.started = True
        self._pass_start = time.perf_counter()
        self._reset(self._pass_start)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time of the block as time spent waiting for data."""
        start = time.perf_counter()
        yield
        if self.started:
            self._wait_seconds += time.perf_counter() - start

    def end_step(self, work: StepWork) -> None:
        """Ends a pass of the loop, with what its step computes."""
        now = time.perf_counter()
        self._pass_seconds.append(now - self._pass_start)
        self._work += work
        self._pass_start = now

    def collect(self) -> dict[str, float]:
        """Returns the timings of the steps since the last call or `start`, and starts the next measurement.

        To be called when the devices have just ended the last of these steps.

        Returns:
            Empty without steps; else steps_per_second, examples_per_second and model_flops_per_second, means over wall
            time; mfu, the share of `peak_flops` that the latter is, where that is known; step_seconds_p50 and
            step_seconds_p90, percentiles of the duration of a pass in seconds; data_wait_fraction, the share of wall
            time spent in `waiting`, during which the devices may have been busy with the step before; with captions
            real_token_share, the share of their computed tokens that is no padding.
        """
        if not (self.started and self._pass_seconds):
            return {}
        now = time.perf_counter()
        seconds, steps = now - self._start, len(self._pass_seconds)
        p50, p90 = np.percentile(self._pass_seconds, (50, 90))
        timings = {
            "steps_per_second": steps / seconds,
            "examples_per_second": steps / seconds * self._batch_size,
            "step_seconds_p50": float(p50),
            "step_seconds_p90": float(p90),
            "data_wait_fraction": self._wait_seconds / seconds,
            "model_flops_per_second": self._work.flops / seconds,
        }
        if self._peak_flops:
            timings["mfu"] = self._work.flops / seconds / self._peak_flops
        if self._work.tokens:
            timings["real_token_share"] = self._work.real_tokens / self._work.tokens
        self._reset(now)
        return timings

    def _reset(self, now: float) -> None:
        """Starts a measurement at the time `now`."""
        self._start, self._wait_seconds, self._work = now, 0.0, StepWork()
        self._pass_seconds: list[float] = []
