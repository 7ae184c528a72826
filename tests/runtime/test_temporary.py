"""What a killed process leaves beside its target is removed by the next one; what a living one writes is not."""

import contextlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from etils import epath

from negjax.runtime.files import open_atomic, write_atomic
from negjax.runtime.temporary import temporary_beside
from negjax.weights.output_files import new_folder

WRITER = """
import sys, time
from etils import epath
from negjax.runtime.temporary import temporary_beside
kind, target = sys.argv[1:]
with temporary_beside(epath.Path(target), folder=kind == "folder") as written:
    (written / "weights" if kind == "folder" else written).write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(100)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def writer():
    """writer(kind, target): a process that has begun to write the target, and never ends by itself."""
    running = []

    def start(kind: str, target) -> subprocess.Popen:
        command = [sys.executable, "-c", WRITER, kind, str(target)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout.readline() == "writing\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(kind, tmp_path, writer):
    target, other = tmp_path / "target", tmp_path / "target.other"
    living, dead, of_other = writer(kind, target), writer(kind, target), writer(kind, other)
    for process in (dead, of_other):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(names(tmp_path)) == 3
    if kind == "file":
        write_atomic(target, "whole")
        assert target.read_text() == "whole"
    else:
        with new_folder(target) as folder:
            (folder / "weights").write_text("whole")
        assert (target / "weights").read_text() == "whole"
    left = [name for name in names(tmp_path) if name != "target"]
    assert len([name for name in left if name.startswith(".target.other.")]) == 1  # of another target: it stays
    assert len(left) == 2  # and what the living process writes
    assert living.poll() is None


def test_names_that_only_look_similar_stay(tmp_path):
    for name in (".a.tmp", ".a.12345678.tmp.bak", ".ab.12345678.tmp", ".a.1234567x.tmp", "a.12345678.tmp"):
        (tmp_path / name).write_text("mine")
    before = names(tmp_path)
    write_atomic(tmp_path / "a", "x")
    assert names(tmp_path) == sorted([*before, "a"])


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".a.12345678.tmp").symlink_to(tmp_path / "precious")
    write_atomic(tmp_path / "a", "x")
    assert (tmp_path / "precious").read_text() == "mine"


def test_another_pattern(tmp_path):
    (tmp_path / "a.incomplete-12345678").mkdir()
    with temporary_beside(epath.Path(tmp_path / "a"), folder=True, pattern="{name}.incomplete-{token}") as folder:
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_many_threads_write_one_file(tmp_path):
    """Each removes what it takes for abandoned, while others create theirs."""
    errors = []

    def write(index: int) -> None:
        try:
            for turn in range(20):
                with open_atomic(tmp_path / "a") as file:
                    file.write(f"{index} {turn}".encode())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text().split()[1] == "19"


def test_threads_that_write_on_after_the_error_do_not_hide_it(tmp_path):
    """As TensorStore's do when the write of another array has failed."""
    target, end = tmp_path / "model", threading.Event()

    def write_on() -> None:
        number = 0
        while not end.wait(0.001):
            number += 1
            inner = next(tmp_path.glob(".model.*"), target) / f"folder{number}"
            with contextlib.suppress(OSError):
                inner.mkdir()
                (inner / "array").write_bytes(b"x")

    thread = threading.Thread(target=write_on)

    def fail() -> None:
        with temporary_beside(epath.Path(target), folder=True) as written:
            for number in range(2000):  # so that the removal takes longer than the next folder
                (Path(written) / str(number)).touch()
            thread.start()
            threading.Timer(0.5, end.set).start()
            raise ValueError("File too large")

    with pytest.raises(ValueError, match="File too large"):
        fail()
    thread.join()
    assert names(tmp_path) == []
