"""Figures from measured times: median, spread, rates, and ratios of works that were timed in turns."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def figures(seconds: Sequence[float], work: Mapping[str, Any], peak_bytes: int, memory_of: str) -> dict[str, Any]:
    """The figures of one work, JSON-able.

    Args:
        seconds: of one repetition, one number a round.
        work: `Workload.describe` of it.
        peak_bytes: the largest memory of its process.
        memory_of: of "host" or "device".

    Returns:
        "seconds" by round, their "median", "min" and "max"; "items" of a repetition, "unit" and "items_per_second";
        "flops_per_second" without padding, where these are counted, and "mfu" where the chip is known, else None;
        "real_token_share", if known; "peak_bytes", "memory_of", "note".
    """
    median = statistics.median(seconds)
    rate = work["flops"] / median or None
    return {
        "seconds": list(seconds),
        "median": median,
        "min": min(seconds),
        "max": max(seconds),
        "items": work["items"],
        "unit": work["unit"],
        "items_per_second": work["items"] / median,
        "flops_per_second": rate,
        "mfu": rate / work["peak_flops"] if rate and work["peak_flops"] else None,
        "real_token_share": work["real_token_share"],
        "peak_bytes": peak_bytes,
        "memory_of": memory_of,
        "note": work["note"],
    }


def speedup(seconds: Sequence[float], other_seconds: Sequence[float]) -> dict[str, float]:
    """How many times faster a work is than another that was timed in the same rounds.

    Args:
        seconds: of the work, one number a round.
        other_seconds: of the other one.

    Returns:
        "ratio": the other's median over the work's; "min" and "max" over the rounds, each of which had the same load.
    """
    by_round = [other / own for own, other in zip(seconds, other_seconds, strict=True)]
    ratio = statistics.median(other_seconds) / statistics.median(seconds)
    return {"ratio": ratio, "min": min(by_round), "max": max(by_round)}
