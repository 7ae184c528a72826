"""`negjax train` in several processes: stopped and taken down together, and taken up again bit for bit."""

import fcntl
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import event_files
from support.metrics import untimed_lines

from negjax.models.loaded import LoadedModel, to_meta
from negjax.runtime.checkpoint import Checkpoints
from negjax.runtime.lost_process import LOST_PROCESS_STATUS

STEPS = 24
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {{"init_from": "{start}"}}
    config.sources = {{
        "captions": {{"dataset": "scenes_negcap", "batch_size": 16, "contrastive": 1.0, "negated_fraction": 0.5}},
        "balanced": {{"dataset": "scenes_balanced", "batch_size": 32, "mcq": 1.0}},
    }}
    config.data_dir = "{data}"
    config.steps = {steps}
    config.optim = {{"learning_rate": 1e-3, "warmup_steps": 3}}
    config.log_every = 1
    config.checkpoint_every = 4
    return config
"""


@pytest.fixture(scope="module")
def config(scenes, mini: LoadedModel, tmp_path_factory) -> Path:
    """A config file that starts from the mini model."""
    folder = tmp_path_factory.mktemp("processes")
    with Checkpoints(folder / "start" / "checkpoints") as checkpoints:
        checkpoints.save(0, {"params": mini.params}, to_meta(mini))
    path = folder / "config.py"
    path.write_text(CONFIG.format(start=folder / "start", data=scenes, steps=STEPS))
    return path


# `negjax` with the four devices laid on the mesh as those of a TPU may: not process after process.
SCATTERED = """
import sys
import numpy as np
from jax.experimental import mesh_utils
from negjax.cli import main
plain = mesh_utils.create_device_mesh
mesh_utils.create_device_mesh = lambda shape, devices, **how: plain(shape, np.array(devices)[[0, 2, 1, 3]], **how)
sys.exit(main())
"""


def start(
    config: Path,
    workdir: Path,
    processes: int,
    devices: int = 1,
    more: tuple[str, ...] = (),
    program: tuple[str, ...] = ("-m", "negjax.cli"),
    own: tuple[tuple[str, ...], ...] = ((), (), (), ()),
    command: tuple[str, ...] = (),
) -> list[subprocess.Popen]:
    """The run, each process with its own devices; process i says what it says to WORKDIR.i. more: flags of all.

    own: flags of each. command: instead of the training.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # The last flag wins.
    env = os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, *program, *(command or ("train", "--config", str(config), "--workdir", str(workdir)))]
    several = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", str(processes), "--process-id"]
    running = []
    for process in range(processes):
        with Path(f"{workdir}.{process}").open("w") as log:
            flags = [*several, str(process)] if processes > 1 else []
            running.append(subprocess.Popen([*command, *more, *own[process], *flags], env=env, stdout=log, stderr=log))
    return running


def codes(running: list[subprocess.Popen], seconds: float = 250) -> list[int]:
    until = time.monotonic() + seconds
    try:
        return [each.wait(max(0.1, until - time.monotonic())) for each in running]
    finally:
        for each in running:
            each.kill()


def said(workdir: Path, process: int) -> str:
    return Path(f"{workdir}.{process}").read_text()


def finish(config: Path, workdir: Path, processes: int, *how, **more) -> None:
    running = start(config, workdir, processes, *how, **more)
    assert codes(running) == [0] * processes, said(workdir, 0)


def wait_for(happened, running: list[subprocess.Popen], what: str) -> None:
    until = time.monotonic() + 200
    while not happened():
        assert all(each.poll() is None for each in running), f"ended before {what}"
        assert time.monotonic() < until, f"no {what}"
        time.sleep(0.005)


def wait_for_steps(workdir: Path, running: list[subprocess.Popen]) -> None:
    path = workdir / "metrics.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= 5, running, "five steps")


def assert_close(workdir: Path, other: Path) -> None:
    """The losses of all steps to 1e-5, on whatever devices."""
    one, two = ([line["loss"] for line in untimed_lines(path)] for path in (workdir, other))
    assert len(one) == STEPS
    np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.fixture(scope="module")
def unbroken(config, tmp_path_factory) -> Path:
    """The run of two processes that nothing interrupts, watched in every way."""
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    finish(config, workdir, 2, more=("--config.logging.tensorboard=true", "--profile", "20:22"))
    return workdir


@pytest.mark.slow
def test_process_0_logs_and_each_process_traces_itself(unbroken):
    losses = {step: figures["loss"] for step, figures in event_files.read(unbroken / "tensorboard").items()}
    assert losses == {line["step"]: pytest.approx(line["loss"]) for line in untimed_lines(unbroken)}
    assert len(list((unbroken / "tensorboard").iterdir())) == 1
    for process in range(2):
        (trace,) = (unbroken / "profile" / f"process_{process}").rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
        assert [event["args"]["step_num"] for event in events if event.get("name") == "train"] == ["20", "21", "22"]
        assert f"wrote a trace to {unbroken}/profile/process_{process}" in said(unbroken, process)


@pytest.mark.slow
def test_eight_devices_two_processes_and_one_device_have_the_same_losses(config, unbroken, tmp_path):
    runs = {"two processes": untimed_lines(unbroken)}
    for devices in (1, 8):
        finish(config, tmp_path / str(devices), 1, devices)
        runs[f"{devices} devices"] = untimed_lines(tmp_path / str(devices))
    for name in ("loss", "captions/contrastive", "balanced/mcq"):
        figures = np.array([[line[name] for line in lines] for lines in runs.values()])
        assert figures.shape == (3, STEPS)
        print(f"{name}, {STEPS} steps, {', '.join(runs)}: within {np.ptp(figures, axis=0).max():.1e}")
        np.testing.assert_allclose(figures[1:], figures[[0, 0]], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_processes_that_lie_scattered_over_the_mesh_have_the_same_losses_and_figures(config, tmp_path):
    more = ("--config.mesh.fsdp=2", "--config.evaluation.tasks=('scenes_retrieval',)")
    finish(config, tmp_path / "run", 2, 2, more, ("-c", SCATTERED))
    finish(config, tmp_path / "alone", 1, 1, more[1:])
    found, alone = untimed_lines(tmp_path / "run"), untimed_lines(tmp_path / "alone")
    assert [line["step"] for line in found] == [*range(1, STEPS + 1), STEPS]
    for line, expected in zip(found, alone, strict=True):
        assert line == pytest.approx(expected, rel=1e-4, abs=1e-5)


def stop(config: Path, workdir: Path, processes: int, asked: int) -> int:
    """Starts the run, sends SIGTERM to one process once it has joined, and returns the step that all stopped at."""
    running = start(config, workdir, processes)
    wait_for(lambda: "coordinator" in said(workdir, asked), running, "joining")
    running[asked].send_signal(signal.SIGTERM)
    assert codes(running) == [143] * processes, said(workdir, asked)
    (step,) = Checkpoints(workdir / "checkpoints").steps()[-1:]
    for process in range(processes):
        told = said(workdir, process).splitlines()
        assert told[0].startswith(
            f"negjax: process {process} of {processes}, 1 of {processes} devices, coordinator 127."
        )
        assert told[-1] == f"negjax: stopped at step {step} and saved: run the same command to resume"
    return step


@pytest.mark.slow
def test_all_processes_wait_for_a_workdir_that_is_in_use(config, unbroken, tmp_path):
    """Longer than the 30 seconds in which processes must find each other."""
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = start(config, tmp_path / "run", 2)
        wait_for(lambda: "is in use by another run: waiting" in said(tmp_path / "run", 0), running, "waiting")
        time.sleep(40)
        assert all(each.poll() is None for each in running)
    assert codes(running) == [0, 0], said(tmp_path / "run", 1)
    assert untimed_lines(tmp_path / "run") == untimed_lines(unbroken)


@pytest.mark.slow
def test_processes_with_other_settings_or_rows_are_told_so(config, scenes, tmp_path):
    other = shutil.copytree(scenes, tmp_path / "other")
    said_of_set = next((other / "scenes_negcap").rglob("metadata.json"))
    said_of_set.write_text(json.dumps(json.loads(said_of_set.read_text()) | {"content": "of other rows"}))
    said_of_set.with_name("checksums.json").unlink()  # else it is told of damage
    for more, what in (
        ("--config.seed=5", "settings"),
        (f"--config.data_dir={other}", "rows in config.sources.captions"),
    ):
        workdir = tmp_path / what.split()[0]
        running = start(config, workdir, 2, own=((), (more,)))
        assert codes(running) == [2, 2]
        for process in range(2):
            assert f"process 1 has {what}" in said(workdir, process)


@pytest.mark.slow
def test_two_processes_stop_at_the_same_step_and_go_on_bit_for_bit(config, unbroken, tmp_path):
    step = stop(config, tmp_path / "run", 2, asked=1)
    assert 0 < step < STEPS
    assert [line["step"] for line in untimed_lines(tmp_path / "run")] == list(range(1, step + 1))
    finish(config, tmp_path / "run", 2)
    assert untimed_lines(tmp_path / "run") == untimed_lines(unbroken)
    assert "training" in said(tmp_path / "run", 0)
    assert "training" not in said(tmp_path / "run", 1)  # process 0 alone talks


@pytest.mark.slow
def test_four_processes_stop_together_and_one_with_eight_devices_goes_on(config, unbroken, tmp_path):
    stop(config, tmp_path / "run", 4, asked=2)
    finish(config, tmp_path / "run", 1, devices=8)
    assert_close(tmp_path / "run", unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_takes_the_others_down_and_the_run_goes_on_bit_for_bit(config, unbroken, tmp_path, killed):
    running = start(config, tmp_path / "run", 2)
    wait_for_steps(tmp_path / "run", running)
    running[killed].kill()
    assert codes([running[1 - killed]], 60) == [LOST_PROCESS_STATUS], said(tmp_path / "run", 1 - killed)
    assert_told_of_a_lost_process(tmp_path / "run", 1 - killed)
    finish(config, tmp_path / "run", 2)
    assert untimed_lines(tmp_path / "run") == untimed_lines(unbroken)


def assert_told_of_a_lost_process(workdir: Path, process: int) -> None:
    last = said(workdir, process).splitlines()[-1]
    assert last.startswith(f"negjax: error: process {process} of 2 ")
    assert "start all of them again with the same command" in last


@pytest.mark.slow
def test_a_silent_process_takes_the_others_down_within_a_minute(config, tmp_path):
    """Its machine is gone or hangs: nothing is closed, only the heartbeats end."""
    running = start(config, tmp_path / "run", 2)
    wait_for_steps(tmp_path / "run", running)
    running[1].send_signal(signal.SIGSTOP)
    try:
        assert codes([running[0]], 60) == [LOST_PROCESS_STATUS], said(tmp_path / "run", 0)
        assert_told_of_a_lost_process(tmp_path / "run", 0)
    finally:
        running[1].kill()
        running[1].wait()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_of_an_evaluation_takes_the_other_down(scenes, config, tmp_path, killed):
    """Killed as soon as it has joined: nothing that it would have sent ever comes."""
    evaluated = ("eval", "--model", str(config.parent / "start"), "--tasks", "scenes_mcq,scenes_retrieval")
    words = (*evaluated, "--data-dir", str(scenes), "--out", str(tmp_path / "run"))
    running = start(config, tmp_path / "run", 2, command=words)
    wait_for(lambda: "coordinator" in said(tmp_path / "run", killed), running, "joining")
    running[killed].kill()
    assert codes([running[1 - killed]], 60) == [LOST_PROCESS_STATUS], said(tmp_path / "run", 1 - killed)
    assert_told_of_a_lost_process(tmp_path / "run", 1 - killed)
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.slow
def test_processes_with_other_workdirs_are_told_so(config, tmp_path):
    running = start(config, tmp_path / "run", 2, own=((), (f"--workdir={tmp_path}/other",)))
    assert codes(running, 120) == [2, 2]
    for process in range(2):
        last = said(tmp_path / "run", process).splitlines()[-1]
        assert last == "negjax: error: process 1 has another --workdir than process 0: all must share one folder"
    assert [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".shared")] == []
