"""A folder that is in use is not entered, and is free again when the process that used it is gone."""

import errno
import fcntl
import signal
import subprocess
import sys
import threading
import time

import pytest

from negjax.errors import NegjaxError
from negjax.runtime import locks
from negjax.runtime.locks import lock_folder

HOLD = """
import sys, time
from negjax.runtime.locks import lock_folder
with lock_folder(sys.argv[1], "in use"):
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has locked tmp_path."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_locked_folder_is_refused_and_free_once_its_process_is_killed(tmp_path, holder):
    with pytest.raises(NegjaxError, match=r"^tmp is in use$"), lock_folder(tmp_path, "tmp is in use"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock_folder(tmp_path, "tmp is in use"):
        pass


def test_waits_until_the_folder_is_free(tmp_path, holder, caplog):
    threading.Timer(1.5, holder.kill).start()
    start = time.monotonic()
    with lock_folder(tmp_path, "tmp is in use", timeout=60):
        assert 1 < time.monotonic() - start < 50
    assert caplog.messages == ["tmp is in use: waiting up to 60 seconds"]


def test_gives_up_after_the_timeout(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "POLL_SECONDS", 0.1)
    with pytest.raises(NegjaxError, match="in use"), lock_folder(tmp_path, "tmp is in use", timeout=0.5):
        pass


def test_the_lock_is_the_one_of_flock(tmp_path):
    """A negjax of before and this one keep each other out."""
    with (
        lock_folder(tmp_path, "in use"),
        (tmp_path / "lock").open("wb") as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(NegjaxError, match="in use"), lock_folder(tmp_path, "in use"):
            pass


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO, errno.ESTALE])
def test_file_systems_without_locks_are_used_as_they_are(tmp_path, monkeypatch, code):
    def no_lock(file, operation):
        raise OSError(code, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_lock)
    with lock_folder(tmp_path, "in use"):
        pass


def test_errors_in_the_block_are_raised_and_the_folder_is_free(tmp_path):
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path, "in use"):
        raise ZeroDivisionError
    with lock_folder(tmp_path, "in use"):
        pass


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(NegjaxError, match=f"^cannot write {tmp_path}/lock: .+"), lock_folder(tmp_path, "in use"):
        pass
