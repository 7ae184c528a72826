"""Two processes that have joined, of which one dies or stops: the other ends with 75 and a line, within a minute."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from negjax.runtime.lost_process import LOST_PROCESS_STATUS

PROCESS = """
import os, sys, time
import numpy as np
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
from negjax.runtime.cluster import join_cluster
from negjax.runtime.distributed import check_agreement, exit_together
from negjax.errors import NegjaxError
port, index, waits = sys.argv[1:]  # waits: the index of the process that waits for the other in a collective
try:
    join_cluster(f"127.0.0.1:{port}", 2, int(index))
    with exit_together():
        check_agreement("a", "a letter")
        os.write(1, b"ready\\n")  # at once: threads of Gloo print between the two writes of an unbuffered print
        if index == waits:
            check_agreement("b", "another letter")
        time.sleep(100)
except NegjaxError as error:
    print(f"negjax: error: {error}", file=sys.stderr)
    sys.exit(getattr(error, "exit_code", 2))
"""


def start(waits: str) -> list[subprocess.Popen]:
    """Two processes that have joined and exchanged something, and now wait."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(port), str(index), waits],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    for process in running:
        while not (line := process.stdout.readline()).endswith("ready\n"):  # what Gloo prints may stand before it
            assert line, (process.wait(60), process.stderr.read())
    return running


def end(running: list[subprocess.Popen]) -> None:
    for process in running:
        process.kill()
        process.communicate()


def listening_addresses(process: subprocess.Popen) -> set[str]:
    """The addresses in /proc/net/tcp and tcp6, in hexadecimal, on which a process listens."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.is_symlink()}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    return {words[1].partition(":")[0] for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in sockets}


@pytest.mark.slow
@pytest.mark.parametrize("in_collective", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("lost", [0, 1])
def test_the_other_ends_with_a_line(lost, number, in_collective):
    running = start(waits=str(1 - lost) if in_collective else "none")
    other = running[1 - lost]
    try:
        time.sleep(1)
        running[lost].send_signal(number)
        _, err = other.communicate(timeout=60)
    finally:
        end(running)
    assert other.returncode == LOST_PROCESS_STATUS, err
    last = err.splitlines()[-1]
    assert last.startswith(f"negjax: error: process {1 - lost} of 2 ")
    assert last.endswith("see its log for the reason, and start all of them again with the same command")


@pytest.mark.slow
def test_processes_of_one_machine_listen_on_the_loopback_alone():
    """127.0.0.1 as /proc writes it, and as an address of IPv6."""
    running = start(waits="none")
    try:
        addresses = [listening_addresses(process) for process in running]
    finally:
        end(running)
    assert all(addresses)
    assert set.union(*addresses) <= {"0100007F", "0000000000000000FFFF00000100007F"}
