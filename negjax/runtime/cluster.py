"""Finding and joining the processes of a run, before JAX is used.

`detect_cluster` asks the cluster (TPU pod, SLURM, Open MPI, Kubernetes) which process this is; `join_cluster` connects
it to the others. The coordination of connected processes is in `negjax.runtime.distributed`.
"""

import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
from jax._src.clusters import ClusterEnv  # jax.distributed.initialize() uses it, but does not return what it detects
from jax._src.lib import _jax

from negjax.errors import NegjaxError
from negjax.runtime.distributed import exit_without_waiting, one_line
from negjax.runtime.lost_process import LOST_PROCESS_STATUS, LostProcess, exit_on_abort, is_lost_connection

JOIN_TIMEOUT_SECONDS = 300
HEARTBEAT_TIMEOUT_SECONDS = 30  # a dead process ends the whole job well within a minute
LOOPBACK = "127.0.0.1"
QUIET_SECONDS = 10  # after which a waiting process logs what it waits for

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessInfo:
    """Which of several processes this one is.

    Attributes:
        coordinator: HOST:PORT of process 0.
        num_processes: number of processes of the run.
        process_id: index of this process, from 0.
        local_device_ids: ids of the devices that this process uses on its machine; None for all.
    """

    coordinator: str
    num_processes: int
    process_id: int
    local_device_ids: Sequence[int] | None = None


def detect_cluster() -> ProcessInfo | None:
    """Returns which process of a cluster this is: a TPU pod, SLURM, Open MPI, Kubernetes (a Job or a JobSet).

    Detection is JAX's own. The variables JAX_COORDINATOR_ADDRESS, JAX_COORDINATOR_PORT and JAX_LOCAL_DEVICE_IDS take
    precedence over it.

    Returns:
        The process, or None without a cluster and on a cluster that runs a single process.

    Raises:
        NegjaxError: the cluster's environment is incomplete.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Kubernetes environment detected")  # the error below says it
            address = os.environ.get("JAX_COORDINATOR_ADDRESS")
            coordinator, num_processes, process_id, local_device_ids = ClusterEnv.auto_detect_unset_distributed_params(
                address, None, None, None, None, JOIN_TIMEOUT_SECONDS
            )
    except Exception as error:  # the detectors of clusters raise anything
        raise NegjaxError(
            f"this looks like a cluster, but the index of this process cannot be read from its environment "
            f"({one_line(error)}): give --coordinator, --num-processes and --process-id, or --num-processes 1 to run "
            "a single process"
        ) from error
    if coordinator is None or num_processes is None or process_id is None:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "JOB_COMPLETION_INDEX" in os.environ:
            raise NegjaxError(
                "this pod belongs to an indexed job, whose size is read through the package kubernetes, which is not "
                "installed: install jax[k8s], or give --coordinator, --num-processes and --process-id"
            )
        return None
    if num_processes == 1:
        return None  # a single process uses all devices and waits for nobody
    if "JAX_LOCAL_DEVICE_IDS" in os.environ:
        local_device_ids = None  # JAX reads the variable itself
    return ProcessInfo(coordinator, num_processes, process_id, local_device_ids)


def join_cluster(
    coordinator: str,
    num_processes: int,
    process_id: int,
    *,
    local_device_ids: Sequence[int] | None = None,
    timeout: int = JOIN_TIMEOUT_SECONDS,
    preemption: bool = False,
) -> None:
    """Connects this process to the others of a run. To be called before JAX is used.

    Args:
        coordinator: HOST:PORT of process 0.
        num_processes: number of processes of the run.
        process_id: index of this process, from 0.
        local_device_ids: ids of the GPUs that this process uses on its machine; None for all.
        timeout: seconds to wait for all processes to join.
        preemption: SIGTERM to any process does not end it; `negjax.runtime.distributed.reached_preemption` reports it
            to all processes.

    Raises:
        NegjaxError: the arguments are invalid, or the coordinator's port is in use.
        LostProcess: not all processes joined in time.
    """
    if not 0 <= process_id < num_processes:
        raise NegjaxError(
            f"--process-id {process_id}: with --num-processes {num_processes} it must be in 0 to {num_processes - 1}"
        )
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal()):
        raise NegjaxError(f"--coordinator {coordinator}: it must be HOST:PORT of process 0")
    if process_id == 0:
        _check_port(coordinator, host, int(port))
    is_one_machine = _is_loopback(host)
    if is_one_machine:  # Gloo would listen on the address of the machine's name
        _jax.make_gloo_tcp_collectives = partial(_jax.make_gloo_tcp_collectives, hostname=LOOPBACK)
    jax.config.update("jax_enable_preemption_service", preemption)

    def connect() -> None:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            local_device_ids,
            cluster_detection_method="deactivate",
            initialization_timeout=timeout + 60,  # past it JAX aborts the process
            heartbeat_timeout_seconds=HEARTBEAT_TIMEOUT_SECONDS,
            coordinator_bind_address=coordinator if is_one_machine else None,  # None: on all addresses
        )

    name = f"process {process_id} of {num_processes}"
    waiting = f"{name} waits up to {timeout} seconds for the others at {coordinator}"
    exit_on_abort(name)
    try:
        joined = _finishes_in_time(connect, timeout, waiting)
    except (RuntimeError, ValueError, OSError) as error:
        kind = LostProcess if is_lost_connection(error) else NegjaxError
        raise kind(f"{name} cannot join the others at {coordinator}: {one_line(error)}") from error
    if not joined:
        exit_without_waiting(LOST_PROCESS_STATUS)
        raise LostProcess(
            f"{name} did not find all the others at {coordinator} within {timeout} seconds: start all {num_processes} "
            f"with the same --coordinator and --num-processes, and check that port {port} of {host} can be reached"
        )
    logger.info("%s, %d of %d devices, coordinator %s", name, jax.local_device_count(), jax.device_count(), coordinator)


def _is_loopback(host: str) -> bool:
    """Whether only processes of the same machine can reach a host of this name."""
    return host in ("localhost", "::1", "[::1]") or host.startswith("127.")


def _check_port(coordinator: str, host: str, port: int) -> None:
    """Raises NegjaxError if the coordinator's port is in use: gRPC would share it with another coordinator."""
    every_address = ("::", socket.AF_INET6) if socket.has_dualstack_ipv6() else ("", socket.AF_INET)
    address, family = (LOOPBACK, socket.AF_INET) if _is_loopback(host) else every_address
    try:
        socket.create_server((address, port), family=family, dualstack_ipv6=address == "::").close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NegjaxError(
            f"--coordinator {coordinator}: process 0 cannot listen on port {port} ({reason}): end what uses it, or "
            "give all processes another port"
        ) from error


def _finishes_in_time(work: Callable[[], None], seconds: float, waiting: str) -> bool:
    """Whether `work` ends within `seconds`; runs it in a thread, as nothing else interrupts it. Raises its errors."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised again in the calling thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(min(seconds, QUIET_SECONDS))
    if thread.is_alive() and seconds > QUIET_SECONDS:
        logger.info("%s", waiting)
        thread.join(seconds - QUIET_SECONDS)
    if errors:
        raise errors[0]
    return not thread.is_alive()
