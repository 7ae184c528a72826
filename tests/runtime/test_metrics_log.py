import json

import pytest

from negjax.errors import NegjaxError
from negjax.runtime.metrics_log import MetricsLog


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_lines_are_on_disk_at_once(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    with MetricsLog(path) as log:
        log.write({"step": 1, "loss": 0.1})
        assert json.loads(path.read_text()) == {"step": 1, "loss": 0.1}
        log.write({"step": 2, "loss": float("nan"), "scale": float("inf")})
    assert json.loads(path.read_text().splitlines()[1]) == {"step": 2, "loss": None, "scale": None}


def test_truncate_after_drops_later_and_half_written_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path) as log:
        for step in (10, 20, 30):
            log.write({"step": step})
    with path.open("a") as file:
        file.write('{"step": 40, "lo')  # killed in the middle
    with MetricsLog(path) as log:
        assert log.last_step() == 30
        log.truncate_after(20)
        log.write({"step": 21})
    assert steps(path) == [10, 20, 21]


def test_truncate_after_to_nothing_and_without_a_file(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    assert log.last_step() == 0
    log.truncate_after(5)
    assert not log.path.exists()
    log.path.write_bytes(b'{"step": 1}\n{"st\xff')
    log.truncate_after(0)
    assert log.path.read_bytes() == b""


def test_unwritable_log_is_one_line(tmp_path):
    with MetricsLog(tmp_path) as log, pytest.raises(NegjaxError, match=f"cannot write {tmp_path}: "):
        log.write({"step": 1})
