"""Timings against the same figures computed by hand, on a clock that the test moves."""

import numpy as np
import pytest

from negjax.runtime import step_timer
from negjax.runtime.step_timer import TIMING_KEYS, StepTimer, StepWork


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(step_timer.time, "perf_counter", lambda: now[0])
    return now


def run(each: StepTimer, clock: list[float], passes: list[tuple[float, float]], flops: float = 0.0) -> None:
    """Passes of so many seconds of waiting and of work."""
    for waited, worked in passes:
        with each.waiting():
            clock[0] += waited
        clock[0] += worked
        each.end_step(StepWork(flops, 9, 12))


def test_the_timings_of_a_line(clock):
    each = StepTimer(batch_size=48, peak_flops=4e12)
    each.start()
    passes = [(0.1, 0.4), (0.0, 0.5), (0.3, 0.5), (0.0, 2.0)]
    run(each, clock, passes, flops=1.9e12)
    found = each.collect()
    seconds = [waited + worked for waited, worked in passes]
    assert set(found) < set(TIMING_KEYS)
    assert found["steps_per_second"] == pytest.approx(4 / 3.8)
    assert found["examples_per_second"] == pytest.approx(48 * 4 / 3.8)
    assert found["step_seconds_p50"] == pytest.approx(np.percentile(seconds, 50))
    assert found["step_seconds_p90"] == pytest.approx(np.percentile(seconds, 90))
    assert found["data_wait_fraction"] == pytest.approx(0.4 / 3.8)
    assert found["model_flops_per_second"] == pytest.approx(4 * 1.9e12 / 3.8)
    assert found["mfu"] == pytest.approx(0.5)
    assert found["real_token_share"] == pytest.approx(9 / 12)


def test_each_line_has_its_own_steps(clock):
    each = StepTimer(batch_size=1)
    each.start()
    run(each, clock, [(0.5, 0.5)] * 3, flops=7.0)
    each.collect()
    assert each.collect() == {}
    run(each, clock, [(0.0, 2.0)], flops=8.0)
    assert each.collect() == {
        "steps_per_second": 0.5,
        "examples_per_second": 0.5,
        "step_seconds_p50": 2.0,
        "step_seconds_p90": 2.0,
        "data_wait_fraction": 0.0,
        "model_flops_per_second": 4.0,
        "real_token_share": 0.75,
    }


def test_what_lies_before_a_start_does_not_count(clock):
    each = StepTimer(batch_size=1)
    with each.waiting():
        clock[0] += 60
    assert each.collect() == {}
    each.start()
    run(each, clock, [(0.0, 5.0)])
    clock[0] += 60  # an evaluation
    each.start()
    run(each, clock, [(0.0, 1.0)])
    found = each.collect()
    assert found["steps_per_second"] == found["step_seconds_p90"] == 1.0
    assert found["data_wait_fraction"] == 0.0
