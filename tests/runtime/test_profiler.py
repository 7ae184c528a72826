"""A trace is written, of the steps that were asked for and no others."""

import gzip
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.profiler import PROFILE_FOLDER, ProfileWindow, StepProfiler, parse_window


def run(workdir: Path, window: ProfileWindow | None, steps: int, first: int = 0) -> None:
    multiply = jax.jit(lambda x: x @ x)
    x = jnp.ones((64, 64))
    with StepProfiler(epath.Path(workdir), window) as profile:
        for step in range(first + 1, first + steps + 1):
            with profile.step(step):
                y = multiply(x)
            profile.end_step(y)


def traced_steps(workdir: Path) -> list[int]:
    """The numbers of the steps in the trace, as Perfetto reads it."""
    (file,) = (workdir / PROFILE_FOLDER).rglob("*.trace.json.gz")
    events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    return [int(event["args"]["step_num"]) for event in events if event.get("name") == "train"]


def test_the_steps_of_the_window_are_in_the_trace(tmp_path, caplog):
    caplog.set_level("INFO")
    run(tmp_path, ProfileWindow(3, 5), steps=9, first=100)
    assert traced_steps(tmp_path) == [103, 104, 105]
    (binary,) = (tmp_path / PROFILE_FOLDER).rglob("*.xplane.pb")
    assert b"dot" in binary.read_bytes()  # the operation itself, not only Python's call
    assert f"wrote a trace to {tmp_path}/{PROFILE_FOLDER}" in caplog.text


def test_a_run_that_ends_in_the_window_writes_what_there_is(tmp_path):
    run(tmp_path, ProfileWindow(2, 50), steps=4)
    assert traced_steps(tmp_path) == [2, 3, 4]


def test_a_run_that_ends_before_the_window_says_so(tmp_path, caplog):
    run(tmp_path, ProfileWindow(5, 6), steps=4)
    assert not (tmp_path / PROFILE_FOLDER).exists()
    assert "no trace was written: this process ran 4 steps" in caplog.text
    run(tmp_path, None, steps=4)
    assert not (tmp_path / PROFILE_FOLDER).exists()


def test_windows():
    assert parse_window("10:15") == ProfileWindow(10, 15)
    with pytest.raises(NegjaxError, match=r"--profile 10: it must be FIRST:LAST, as in 10:15"):
        parse_window("10")
    for text in ("1:5", "6:5"):
        with pytest.raises(NegjaxError, match=f"--profile {text}: .* FIRST at least 2"):
            parse_window(text)
