"""What TensorBoard and W&B are given, read back from their files; nothing is counted twice after a restart."""

import json
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from etils import epath
from support import event_files

from negjax.config import Logging
from negjax.errors import NegjaxError
from negjax.runtime.metrics_log import METRICS_FILE
from negjax.runtime.sinks import OptionalSink, open_sinks
from negjax.runtime.tensorboard_log import TENSORBOARD_FOLDER, TensorBoardLog
from negjax.runtime.wandb_log import WANDB_FILE


def live(workdir: Path, wanted: Logging, first: int, last: int, value: float) -> None:
    """One life of a run, from step `first` on, which logs `value` at each step and is evaluated at even ones."""
    with open_sinks(workdir, epath.Path(workdir), wanted, first, {"seed": 3}) as opened:
        for step in range(first + 1, last + 1):
            for sink in opened:
                sink.write({"step": step, "loss": value, "bytes": 7})
                if step % 2 == 0:
                    sink.write({"step": step, "eval/task/accuracy": value / 4})


def test_metrics_alone_unless_more_is_asked_for(tmp_path):
    live(tmp_path, Logging(), 0, 2, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == [METRICS_FILE]


def test_tensorboard_shows_what_the_log_says(tmp_path):
    live(tmp_path, Logging(tensorboard=True), 0, 4, 1.5)
    assert event_files.read(tmp_path / TENSORBOARD_FOLDER) == {
        1: {"loss": 1.5, "bytes": 7.0},
        2: {"loss": 1.5, "bytes": 7.0, "eval/task/accuracy": 0.375},
        3: {"loss": 1.5, "bytes": 7.0},
        4: {"loss": 1.5, "bytes": 7.0, "eval/task/accuracy": 0.375},
    }
    live(tmp_path, Logging(tensorboard=True), 2, 3, 2.5)  # it had been killed, and goes on from step 2
    told = {step: figures["loss"] for step, figures in event_files.read(tmp_path / TENSORBOARD_FOLDER).items()}
    logged = {
        line["step"]: line["loss"] for line in map(json.loads, (tmp_path / METRICS_FILE).open()) if "loss" in line
    }
    assert told == logged == {1: 1.5, 2: 1.5, 3: 2.5}
    assert "eval/task/accuracy" in event_files.read(tmp_path / TENSORBOARD_FOLDER)[2]


def test_tensorboard_is_on_disk_before_the_run_ends(tmp_path):
    with TensorBoardLog(tmp_path, 0) as board:
        board.write({"step": 1, "loss": float("nan")})
        assert set(event_files.read(tmp_path)[1]) == {"loss"}


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / TENSORBOARD_FOLDER).write_text("")
    with pytest.raises(NegjaxError, match=f"cannot write {tmp_path}/{TENSORBOARD_FOLDER}: File exists"):
        live(tmp_path, Logging(tensorboard=True), 0, 1, 1.0)


@pytest.mark.parametrize(("setting", "value"), [("tensorboard", True), ("wandb", "project")])
def test_a_missing_package_is_named(setting, value):
    """In a process that finds no packages but those of negjax itself."""
    code = f"""
import importlib.util
from negjax.config import Logging
from negjax.runtime.sinks import check_sinks
importlib.util.find_spec = lambda name: None
check_sinks(Logging())
check_sinks(Logging({setting}={value!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"config.logging.{setting} needs {setting}" in done.stderr
    assert f'pip install "negjax[{setting}]"' in done.stderr.splitlines()[-1]


def wandb_records(file: Path) -> list[bytes]:
    """The records of an offline run: a header of 7 bytes, then LevelDB's log format."""
    data, at, found, parts = file.read_bytes(), 7, [], b""
    while at < len(data):
        if 32768 - at % 32768 < 7:  # the rest of a block is padding
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            found.append(parts)
            parts = b""
    return found


def history(workdir: Path) -> list[tuple[int, float, float | None]]:
    """(step, loss, accuracy) of what all offline runs of the workdir hold; and they are one run."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, runs = [], set()
    for file in sorted((workdir / "wandb").glob("offline-run-*/*.wandb")):
        for data in wandb_records(file):
            record = Record.FromString(data)
            if record.HasField("run"):
                runs.add((record.run.run_id, record.run.entity, record.run.project))
            if record.HasField("history"):
                row = {"".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
                found.append((row["_step"], row["loss"], row.get("eval/task/accuracy")))
    assert runs == {(json.loads((workdir / WANDB_FILE).read_text())["id"], "me", "negation")}
    return found


def test_wandb_goes_on_with_the_same_run_and_gets_no_step_twice(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wanted = Logging(wandb="me/negation")
    live(tmp_path, wanted, 0, 3, 1.0)
    live(tmp_path, wanted, 2, 5, 2.0)  # it had been killed, and goes on from step 2
    assert history(tmp_path) == [(1, 1.0, None), (2, 1.0, 0.25), (3, 1.0, None), (4, 2.0, 0.5), (5, 2.0, None)]
    (tmp_path / WANDB_FILE).write_text("{")
    with pytest.raises(NegjaxError, match=f"{tmp_path}/{WANDB_FILE} is malformed"):
        live(tmp_path, wanted, 5, 6, 2.0)


def test_an_optional_sink_that_fails_is_dropped(tmp_path, caplog, capsys):
    """As TensorBoard's on a full disk: training goes on. Here no file may become larger than a byte.

    With capsys, stderr is no file.
    """
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with OptionalSink(TensorBoardLog(tmp_path, 0), "TensorBoard") as sink:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            for step in range(1, 4):
                sink.write({"step": step, "loss": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"TensorBoard gets no more metrics (cannot write {tmp_path}: File too large")
