"""Figures and ratios from given times."""

import pytest

from negjax.bench.report import seconds, significant
from negjax.bench.timings import figures, speedup
from negjax.bench.workload import MOST_REPEATS, repeats_of

WORK = {"items": 32, "unit": "examples", "flops": 6e12, "peak_flops": 2e13, "real_token_share": 0.9, "note": ""}


def test_figures():
    row = figures([3.0, 1.0, 2.0, 10.0, 2.0], WORK, 5_000, "host")
    assert (row["median"], row["min"], row["max"]) == (2, 1, 10)
    assert (row["items_per_second"], row["flops_per_second"]) == (16, 3e12)
    assert row["mfu"] == pytest.approx(0.15)
    unknown = figures([2.0], WORK | {"flops": 0.0, "peak_flops": None}, 5_000, "host")
    assert unknown["mfu"] is None
    assert unknown["flops_per_second"] is None


def test_speedup_is_the_ratio_of_medians_with_the_spread_of_rounds():
    """In the last round the machine was busy, for both."""
    assert speedup([1.0, 2.0, 1.0, 8.0], [3.0, 3.0, 3.0, 32.0]) == {"ratio": 2.0, "min": 1.5, "max": 4.0}


@pytest.mark.parametrize(
    ("one", "repeats"), [(10.0, 1), (0.2, 1), (0.05, 4), (1e-6, MOST_REPEATS), (0.0, MOST_REPEATS)]
)
def test_short_work_is_repeated(one, repeats):
    assert repeats_of(one) == repeats


def test_numbers_are_short():
    assert [seconds(x) for x in (0.0123, 1.234, 123.4)] == ["12.3 ms", "1.23 s", "123 s"]
    assert [significant(x) for x in (0.0338, 4.0, 12345.6)] == ["0.0338", "4", "12,346"]
