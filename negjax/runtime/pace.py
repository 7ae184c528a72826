"""How fast a run goes and what it waits for: the timings of each line of its log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# What a line holds that no two runs share, however equal they are.
TIMINGS = (
    "steps_per_second",
    "examples_per_second",
    "step_seconds_p50",
    "step_seconds_p90",
    "data_wait_fraction",
    "model_flops_per_second",
    "mfu",
    "memory_peak_bytes",
    "host_memory_peak_bytes",
)


class Pace:
    """The timings of a loop, gathered on the host from one line of its log to the next.

    examples: in a step. peak_flops: matrix operations a second of all devices together, None where it is not known.

    Devices are asked for work and do it later, so a pass of the loop takes as long as a step only where the loop waits
    in each pass for the step before (`negjax.training.run_log.Record.advance` does). What it does besides, such as
    saving, is in the pass too; evaluations and the first step, which is compiled, are not.
    """

    def __init__(self, examples: int, peak_flops: float | None = None) -> None:
        self._examples, self._peak_flops = examples, peak_flops
        self.started = False

    def start(self) -> None:
        """Begins anew: what lies before is not training."""
        self.started = True
        self._last = time.perf_counter()
        self._begin(self._last)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What is done within is waiting for data."""
        begin = time.perf_counter()
        yield
        if self.started:
            self._waited += time.perf_counter() - begin

    def step(self, flops: float) -> None:
        """Ends a pass of the loop, and the step in it. flops: its model operations over all devices."""
        now = time.perf_counter()
        self._passes.append(now - self._last)
        self._flops += flops
        self._last = now

    def figures(self) -> dict[str, float]:
        """The timings of the steps since the last call or `start`, and begins the next line; of no steps nothing.

        To be called when the device has just ended the last of these steps. steps_per_second, examples_per_second and
        model_flops_per_second are means over wall time; mfu is the share that the last is of the devices' peak, where
        that is known. step_seconds_p50, step_seconds_p90: percentiles of the seconds of a pass. data_wait_fraction: the
        share of wall time spent in `waiting`, while the devices may still have been busy with the step before.
        """
        if not (self.started and self._passes):
            return {}
        now = time.perf_counter()
        seconds, steps = now - self._since, len(self._passes)
        p50, p90 = np.percentile(self._passes, (50, 90))
        found = {
            "steps_per_second": steps / seconds,
            "examples_per_second": steps / seconds * self._examples,
            "step_seconds_p50": float(p50),
            "step_seconds_p90": float(p90),
            "data_wait_fraction": self._waited / seconds,
            "model_flops_per_second": self._flops / seconds,
        }
        if self._peak_flops:
            found["mfu"] = self._flops / seconds / self._peak_flops
        self._begin(now)
        return found

    def _begin(self, now: float) -> None:
        self._since, self._waited, self._flops = now, 0.0, 0.0
        self._passes: list[float] = []
