import json

import pytest

from negjax.errors import NegjaxError
from negjax.runtime import metrics
from negjax.runtime.metrics import MetricsLog, Progress, counter


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_lines_are_on_disk_at_once(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    with MetricsLog(path) as log:
        log.write({"step": 1, "loss": 0.1})
        assert json.loads(path.read_text()) == {"step": 1, "loss": 0.1}
        log.write({"step": 2, "loss": float("nan"), "scale": float("inf")})
    assert json.loads(path.read_text().splitlines()[1]) == {"step": 2, "loss": None, "scale": None}


def test_cut_back_drops_later_and_half_written_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path) as log:
        for step in (10, 20, 30):
            log.write({"step": step})
    with path.open("a") as file:
        file.write('{"step": 40, "lo')  # killed in the middle
    with MetricsLog(path) as log:
        assert log.last_step() == 30
        log.cut_back(20)
        log.write({"step": 21})
    assert steps(path) == [10, 20, 21]


def test_cut_back_to_nothing_and_without_a_file(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    assert log.last_step() == 0
    log.cut_back(5)
    assert not log.path.exists()
    log.path.write_bytes(b'{"step": 1}\n{"st\xff')
    log.cut_back(0)
    assert log.path.read_bytes() == b""


def test_unwritable_log_is_one_line(tmp_path):
    with MetricsLog(tmp_path) as log, pytest.raises(NegjaxError, match=f"cannot write {tmp_path}: "):
        log.write({"step": 1})


def test_training_progress_in_a_log(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    with Progress(total=1000, first=200) as progress:
        for step in range(201, 401):
            now[0] += 0.5
            if step % 100 == 0:
                progress.show(step / 100)
            progress.advance(step)
    assert capsys.readouterr().err.splitlines() == [
        "training: step 260 of 1,000, 2 steps/s, 6:10 left",
        "training: step 320 of 1,000, loss 3.0000, 2 steps/s, 5:40 left",
        "training: step 380 of 1,000, loss 3.0000, 2 steps/s, 5:10 left",
        "training: step 400 of 1,000, loss 4.0000, 1:40 in all",
    ]


def test_short_work_says_nothing_in_a_log(capsys):
    with counter(3, "letters", show=False) as done:
        done(3)
    with counter(10, "rows") as done:
        done(4)
    assert capsys.readouterr() == ("", "")


def test_counted_work_in_a_log(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    with counter(5000, "captions") as done:
        for _ in range(5):
            now[0] += 20
            done(1000)
    assert capsys.readouterr().err.splitlines() == [
        "captions: 2,000 of 5,000, 1:00 left",
        "captions: 4,000 of 5,000, 0:20 left",
        "captions: 5,000 of 5,000, 1:40 in all",
    ]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress(total=3) as progress:
        progress.show(1.25)
        for step in (1, 2, 3):
            progress.advance(step)
    out, err = capsys.readouterr()
    assert "3/3" in err
    assert "loss 1.2500" in err
    assert not out
