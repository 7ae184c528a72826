"""Builds of training sets that were stopped or refused go on with the same command, and with no other."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.command import command_line
from support.folders import digests
from support.images import noise_jpeg
from support.training_files import ROWS, build, make_files, path

from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


@pytest.fixture
def files(tmp_path) -> Path:
    return make_files(tmp_path)


@pytest.mark.slow
def test_a_stopped_build_goes_on_with_the_same_command(files):
    """Killed while it works, in both processes; the finished set is that of a build without a stop."""
    build(files, 1, "built")
    expected = digests(files / "sets" / "built")
    words = ["data", "build", "--kind", "negcap", "--csv", files / "negcap.csv", "--media-root", files / "media"]
    words += ["--questions", files / "negmcq.csv", "--name", "built", "--data-dir", files / "again"]
    words += ["--shard-rows", 1, "--processes", 2]
    command = command_line(*words)
    workplace = files / "again" / "built.building"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 120
    while len(list(workplace.glob("shard-*.json"))) < 4:
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = {each.name: each.stat().st_mtime_ns for each in workplace.glob("shard-*.json")}
    assert len(made) < ROWS
    assert not (files / "again" / "built").exists()
    (workplace / "half-00022-1").write_bytes(b"what a killed process leaves")
    next(iter(workplace.glob("shard-*.json"))).unlink()  # as when it was killed between a shard and what is said of it
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith(f"built: {ROWS} rows in "), done.stderr
    assert digests(files / "again" / "built") == expected
    assert not workplace.exists()


def test_shards_that_are_made_are_not_made_again(files):
    (files / "media" / "00001.tar").rename(files / "away.tar")
    with pytest.raises(NegjaxError, match="10 of 23 rows cannot be used: their images do not exist below"):
        build(files)
    workplace = files / "sets" / "built.building"
    before = {each.name: each.stat().st_mtime_ns for each in workplace.rglob("*array_record*")}
    assert len(before) == 5
    built = build(files, skip_missing=True, overwrite=False)
    assert (built.written, built.skipped["missing"]) == (13, 10)
    assert built.notes[1].startswith(
        f"skipped 10 of 23 rows: their images do not exist below {files / 'media'} (the first is"
    )
    after = {each.name: each.stat().st_mtime_ns for each in (files / "sets").rglob("*array_record*")}
    assert after == before
    data = open_set(files / "sets", "built")
    assert [row["id"] for row in data.rows()] == [*range(10), *range(20, 23)]
    skipped = data.metadata["skipped"]["missing"]
    assert (skipped["count"], skipped["first"][0]) == (10, {"row": 10, "why": path(10)})


def test_a_build_that_was_refused_sees_what_was_put_in_place(files):
    """Only shards whose left out images are another matter now are made again, with --skip-missing or without."""
    (files / "media" / "00001.tar").rename(files / "away.tar")
    mended = files / "media" / "00001" / "000000012.jpg"
    mended.parent.mkdir()
    (files / "media" / "00001" / "000000017.jpg").write_bytes(b"broken")
    with pytest.raises(
        NegjaxError,
        match=r"9 of 23 rows cannot be used: their images .*; put complete images in place and run the",
    ):
        build(files)
    said = {each.name: each.stat().st_mtime_ns for each in (files / "sets" / "built.building").glob("shard-*.json")}

    def made_again() -> set[str]:
        now = {each.name: each.stat().st_mtime_ns for each in (files / "sets" / "built.building").glob("shard-*.json")}
        return {name for name in said if now[name] != said[name]}

    mended.write_bytes(noise_jpeg(12)[:300])
    with pytest.raises(NegjaxError, match="8 of 23 rows cannot be used: their images do not exist below"):
        build(files)
    assert made_again() == {"shard-00002.json"}
    mended.write_bytes(noise_jpeg(12))
    (files / "media" / "00001" / "000000014.jpg").write_bytes(noise_jpeg(14))
    built = build(files, skip_missing=True)
    assert (built.written, built.skipped["missing"], built.skipped["broken"]) == (15, 7, 1)
    assert open_set(files / "sets", "built")[10]["media"] == noise_jpeg(12)
    with pytest.raises(NegjaxError):
        build(files, name="whole")
    (files / "away.tar").rename(files / "media" / "00001.tar")
    (files / "media" / "00001" / "000000017.jpg").unlink()
    built = build(files, name="whole")
    assert (built.written, built.skipped["missing"], built.skipped["broken"]) == (ROWS, 0, 0)


def test_another_build_in_the_same_place(files):
    (files / "media" / "00001.tar").rename(files / "away.tar")
    with pytest.raises(NegjaxError):
        build(files)
    for other in ({"rows": 4}, {"short_side": 20}):
        with pytest.raises(
            NegjaxError,
            match=r"built\.building holds an unfinished build from other files, with other settings or by an earlier",
        ):
            build(files, **other)
    shard = next((files / "sets" / "built.building").rglob("*00003-of*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(NegjaxError, match=r"is incomplete: delete .*shard-00003.json"):
        build(files, skip_missing=True)
    shard.unlink()
    assert build(files, skip_missing=True).written == 13


def test_a_build_is_not_taken_up_with_shards_of_other_rows(files):
    """23 rows make three shards of 8, 8 and 7, or of 9, 9 and 5: one of these among those loses or doubles rows."""
    (files / "media" / "00001.tar").rename(files / "away.tar")
    with pytest.raises(NegjaxError):
        build(files, rows=8)
    with pytest.raises(
        NegjaxError, match="holds an unfinished build from other files, with other settings or by an earlier version"
    ):
        build(files, rows=9, skip_missing=True)
    assert build(files, rows=8, skip_missing=True).written == 13


def test_a_build_under_way_is_not_disturbed(files):
    import fcntl

    workplace = files / "sets" / "built.building"
    workplace.mkdir(parents=True)
    with (workplace / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NegjaxError, match="another build of this set is running"):
            build(files)
    assert build(files).written == ROWS


def test_a_build_of_an_earlier_version_is_not_resumed(files):
    (files / "media" / "00001.tar").rename(files / "away.tar")
    with pytest.raises(NegjaxError, match="their images do not exist below"):
        build(files)
    workspace = files / "sets" / "built.building"
    plan = json.loads((workspace / "plan.json").read_text())
    (workspace / "plan.json").write_text(json.dumps(plan | {"format": plan["format"] - 1}, indent=1))
    with pytest.raises(NegjaxError, match="by an earlier version: resume that one, delete the folder to start again"):
        build(files, skip_missing=True)
    shutil.rmtree(workspace / "built")  # none of its shards was complete
    assert build(files, skip_missing=True).written == 13
