"""The processes of a pool end with the process that started them, and Ctrl-C is that one's business."""

import os
import signal
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_no_process_stays(number, status):
    """They would hold stdout open. The signal goes to all, as Ctrl-C in a terminal does, or to the first alone."""
    process = subprocess.Popen(
        [sys.executable, "-c", POOL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "ready\n"
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=30)  # until the last one has closed stdout and stderr
    assert process.returncode == status
    assert err == ("negjax: interrupted\n" if number == signal.SIGINT else "")
