"""Ctrl-C ends a process at once, with 130 and one line, in whatever it is stuck."""

import signal
import subprocess
import sys
import time

import pytest

BEGIN = "from negjax.runtime.interrupt import exit_on_interrupt\nexit_on_interrupt()\n"
READY = "print('ready', flush=True)\n"
STUCK = {
    "in C, which is called again after a signal": "import threading; lock = threading.Lock(); lock.acquire()\n"
    + READY
    + "lock.acquire()",
    "where exceptions are swallowed": READY
    + "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "at the end of the interpreter": "import atexit, time; atexit.register(time.sleep, 60)\n" + READY,
}


def interrupt(code: str) -> tuple[int, str, float]:
    """Exit status, messages and seconds to the end of a program that gets SIGINT when it says that it is ready."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    return process.returncode, err, time.monotonic() - begin


@pytest.mark.parametrize("code", STUCK.values(), ids=STUCK)
def test_it_ends_at_once(code):
    status, err, seconds = interrupt(BEGIN + code)
    assert (status, err) == (130, "negjax: interrupted\n")
    assert seconds < 5


def test_temporaries_are_removed(tmp_path):
    code = f"""
import time
from etils import epath
from negjax.runtime.files import open_atomic
from negjax.runtime.temporary import temporary_beside
with temporary_beside(epath.Path("{tmp_path}/folder"), folder=True) as folder, open_atomic("{tmp_path}/file") as file:
    (folder / "x").write_text("half")
    file.write(b"half")
    {READY}
    time.sleep(60)
"""
    assert interrupt(BEGIN + code)[0] == 130
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_ignored_stays_ignored():
    """As under nohup, and of commands that a script runs in the background."""
    ignored = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    status, err, _ = interrupt(ignored + BEGIN + READY + "time.sleep(1)")
    assert (status, err) == (0, "")


def test_one_that_comes_while_the_program_is_replaced():
    code = f"""
import os, signal, sys
from negjax.runtime.interrupt import hold_interrupt
hold_interrupt()
os.kill(os.getpid(), signal.SIGINT)
os.execv(sys.executable, [sys.executable, "-c", {(BEGIN + "import time; time.sleep(60)")!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "negjax: interrupted\n")


def test_one_that_comes_after_the_program_at_the_end_of_python():
    """Where Python has restored the default handler, and what the command did has succeeded."""
    code = """
import os, signal
class Last:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGINT):
        kill(process, number)
last = Last()
"""
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
