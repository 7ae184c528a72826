"""A work that can be repeated and timed. No JAX: the processes of PyTorch use it too."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROUND_SECONDS = 0.2  # a round repeats shorter work, so that neither the clock nor one wait for the device decides it
MOST_REPEATS = 200

Vectors = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Workload:
    """What is repeated, and what one repetition comprises.

    Attributes:
        run: does it N times, and returns when the last is complete.
        items: number of things that it handles.
        unit: what these are, "examples".
        flops: model FLOPs without padding, over all devices; 0 where they are not counted.
        peak_flops: FLOP/s of all devices together; None if unknown.
        peak_bytes: () -> the largest memory so far, and of what ("host" or "device"), measured in its process.
        real_token_share: of the tokens that are computed, the share that is no padding; None if unknown.
        results: figures that another implementation must reach as well, before its speed may be compared.
        note: for the reader of the table.
        device: "cpu", "gpu" or "tpu"; "" where processes of its own do the work.
    """

    run: Callable[[int], object]
    items: int
    unit: str
    peak_bytes: Callable[[], tuple[int, str]]
    flops: float = 0.0
    peak_flops: float | None = None
    real_token_share: float | None = None
    results: Vectors = field(default_factory=dict)
    note: str = ""
    device: str = ""

    def describe(self) -> dict[str, Any]:
        """All but the functions."""
        names = ("items", "unit", "flops", "peak_flops", "real_token_share", "results", "note", "device")
        return {name: getattr(self, name) for name in names}


def seconds_of(work: Workload, repeats: int) -> float:
    """Seconds of one repetition, as the mean over `repeats` of them."""
    begin = time.perf_counter()
    work.run(repeats)
    return (time.perf_counter() - begin) / repeats


def repeats_of(seconds: float) -> int:
    """How many repetitions make a round, from the seconds of one."""
    return max(1, min(MOST_REPEATS, math.ceil(ROUND_SECONDS / max(seconds, 1e-9))))
