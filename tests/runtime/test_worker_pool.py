"""The processes of a pool end with the process that started them, and Ctrl-C is that one's business."""

import os
import signal
import subprocess
import sys
import time

import pytest

POOL = """
import time
from negjax.runtime.interrupt import exit_on_interrupt
from negjax.runtime.worker_pool import WorkerPool
exit_on_interrupt()
pool = WorkerPool(2)
futures = [pool.submit(time.sleep, 0 if index < 4 else 60) for index in range(8)]
for future in futures[:4]:
    future.result()
print("ready", flush=True)
futures[-1].result()
"""


def start(program: str) -> subprocess.Popen[str]:
    """A process, leader of a group of its own, that runs a program and has printed that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_no_process_stays(number, status):
    """They would hold stdout open. The signal goes to all, as Ctrl-C in a terminal does, or to the first alone."""
    process = start(POOL)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=30)  # until the last one has closed stdout and stderr
    assert process.returncode == status
    assert err == ("negjax: interrupted\n" if number == signal.SIGINT else "")


STARTING = """
from negjax.runtime.interrupt import exit_on_interrupt
from negjax.runtime.worker_pool import WorkerPool
exit_on_interrupt()
print("ready", flush=True)
for _ in range(100):
    WorkerPool(4).submit(abs, 0)
"""


@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.1])
def test_an_interrupt_while_processes_start(seconds):
    """A process that is started but has not got its data yet would show a traceback."""
    process = start(STARTING)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "negjax: interrupted\n")
