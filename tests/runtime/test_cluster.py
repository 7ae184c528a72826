"""Finding and joining processes, and that none waits in vain."""

import os
import socket
import subprocess
import sys

import pytest
from support.command import command_line, environment_without

from negjax.commands.parsing import Parser, add_process_flags, join_processes
from negjax.errors import NegjaxError
from negjax.runtime.cluster import ProcessInfo, detect_cluster, join_cluster
from negjax.runtime.lost_process import LOST_PROCESS_STATUS

SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_STEP_NODELIST": "node[007-010],other",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_NODES": "4",
}
OPEN_MPI = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """Whatever cluster runs the tests is not the one that they are about."""
    for name in os.environ:
        if name.startswith(("SLURM_", "OMPI_", "KUBERNETES_", "JOB_COMPLETION", "JAX_COORDINATOR", "JAX_LOCAL_DEV")):
            monkeypatch.delenv(name)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def put(monkeypatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_a_cluster_a_process_is_alone():
    assert detect_cluster() is None


def test_slurm_tells_the_place(monkeypatch):
    put(monkeypatch, SLURM)
    assert detect_cluster() == ProcessInfo("node007:61441", 8, 5, [1])  # the port follows from the job's number
    put(monkeypatch, {"JAX_COORDINATOR_PORT": "9000", "JAX_LOCAL_DEVICE_IDS": "0,1"})
    assert detect_cluster() == ProcessInfo("node007:9000", 8, 5, None)  # JAX reads the variable itself


def test_open_mpi_tells_the_place(monkeypatch):
    put(monkeypatch, OPEN_MPI)
    assert detect_cluster() == ProcessInfo("10.96.0.1:62624", 4, 3, [0])  # 61440 + 1531576320 // 4096 % 4096


def test_a_single_task_has_nobody_to_wait_for(monkeypatch):
    put(monkeypatch, SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "nowhere.invalid"})
    assert detect_cluster() is None


def test_alone_on_any_cluster_if_asked(monkeypatch):
    put(monkeypatch, SLURM)
    parser = Parser()
    add_process_flags(parser)
    join_processes(parser.parse_args(["--num-processes", "1"]))  # waits for nobody


def test_a_cluster_that_does_not_say_enough(monkeypatch):
    put(monkeypatch, SLURM | {"SLURM_NTASKS": "many"})
    with pytest.raises(
        NegjaxError,
        match=r"cannot be read from its environment \(.*'many'\): give --coordinator, .* or --num-processes 1",
    ):
        detect_cluster()


def test_a_pod_of_an_indexed_job_does_not_train_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    put(monkeypatch, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert detect_cluster() is None  # some pod
    put(monkeypatch, {"JOB_COMPLETION_INDEX": "0"})
    with pytest.raises(NegjaxError, match=r"package kubernetes, which is not installed: install jax\[k8s\], or give"):
        detect_cluster()


def test_flags_that_do_not_fit():
    with pytest.raises(NegjaxError, match=r"--process-id 2: with --num-processes 2 it must be in 0 to 1"):
        join_cluster("localhost:1", 2, 2)
    with pytest.raises(NegjaxError, match=r"--coordinator localhost: it must be HOST:PORT of process 0"):
        join_cluster("localhost", 2, 0)
    parser = Parser()
    add_process_flags(parser)
    with pytest.raises(NegjaxError, match=r"--coordinator and --process-id not given"):
        join_processes(parser.parse_args(["--num-processes", "2"]))
    flags = ["--coordinator", "localhost:1", "--num-processes", "2", "--process-id", "0", "--join-timeout", "0"]
    with pytest.raises(NegjaxError, match=r"--join-timeout 0: it must be at least 1 second"):
        join_processes(parser.parse_args(flags))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "some-host"])
def test_a_port_in_use(host):
    """gRPC would share the port with the coordinator of another run."""
    with socket.create_server(("127.0.0.1" if host != "some-host" else "", 0), reuse_port=True) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            NegjaxError, match=rf"--coordinator {host}:{port}: process 0 cannot listen on port {port} \(Address already"
        ):
            join_cluster(f"{host}:{port}", 2, 0)


def train(flags: list[str], **environment: str) -> subprocess.Popen:
    """`negjax train` with a config that is not there, which it finds out once it has joined the others."""
    command = command_line("train", "--config", "nowhere.py", "--workdir", "nowhere", *flags)
    env = environment_without("XLA_FLAGS") | environment
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_one_process_missing_is_one_line_and_no_hang():
    ports = [free_port(), free_port()]
    waiting = []
    for process, port in enumerate(ports):
        where = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", "--process-id", str(process)]
        waiting.append(train([*where, "--join-timeout", "3"]))
    for process, (port, each) in enumerate(zip(ports, waiting)):
        out, err = each.communicate(timeout=120)
        assert (each.returncode, out) == (LOST_PROCESS_STATUS, "")
        assert err == (
            f"negjax: error: process {process} of 2 did not find all the others at 127.0.0.1:{port} within 3 seconds: "
            f"start all 2 with the same --coordinator and --num-processes, and check that port {port} of 127.0.0.1 can "
            "be reached\n"
        )


@pytest.mark.slow
def test_two_slurm_tasks_find_each_other_and_leave_at_once_after_an_error():
    common = SLURM | {
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "JAX_COORDINATOR_PORT": str(free_port()),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    tasks = [train([], **common | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)}) for i in range(2)]
    told = [task.communicate(timeout=120)[1].splitlines() for task in tasks]
    for i, lines in enumerate(told):
        where = f"coordinator localhost:{common['JAX_COORDINATOR_PORT']}"
        assert lines[0] == f"negjax: process {i} of 2, 2 of 4 devices, {where}"
    assert "negjax: error: config file nowhere.py not found" in {lines[-1] for lines in told}
    assert 2 in {task.returncode for task in tasks}  # the other may have been taken down before it came that far
    assert 0 not in {task.returncode for task in tasks}
