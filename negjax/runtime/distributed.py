"""Several processes as one: joining them, what they must agree on, and that none outlives the others.

A process that dies without a word is noticed by its heartbeat, and JAX then ends all others. One that stops with an
error must leave just as plainly (`together`): the usual way out waits for processes that wait for this one.
"""

import atexit
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import numpy as np
from jax._src.clusters import ClusterEnv  # what jax.distributed.initialize() asks; it does not tell what it found
from jax.experimental import multihost_utils

from negjax.errors import NegjaxError

SECONDS_TO_JOIN = 300
SECONDS_UNTIL_DEAD = 30  # without a heartbeat; the job is down well within a minute
SECONDS_TO_SPEAK = 2  # from an error to the end, for others that have the same one and are about to tell it
LOST = ("Gloo", "NCCL", "UNAVAILABLE", "Connection")  # in what XLA raises when it cannot talk to another process
SECONDS_OF_PATIENCE = 10  # after which a waiting process says for what it waits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessPlace:
    """This process among the others. coordinator: HOST:PORT of process 0. devices: local ids of its own, None for all.

    `join` and `detect` make sure that it is one of several.
    """

    coordinator: str
    processes: int
    process: int
    devices: Sequence[int] | None = None


def detect() -> ProcessPlace | None:
    """The place that a cluster gave this process: a TPU pod, SLURM, Open MPI, Kubernetes (a Job or a JobSet).

    None without a cluster, and where it runs one process only. The detection is JAX's own, which takes the variables
    JAX_COORDINATOR_ADDRESS, JAX_COORDINATOR_PORT and JAX_LOCAL_DEVICE_IDS first. Raises NegjaxError where a cluster
    does not say enough.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Kubernetes environment detected")  # told below, where it matters
            told = os.environ.get("JAX_COORDINATOR_ADDRESS")
            found = ClusterEnv.auto_detect_unset_distributed_params(told, None, None, None, None, SECONDS_TO_JOIN)
    except Exception as error:  # whatever a cluster's environment makes it stumble over
        raise NegjaxError(
            f"this looks like a cluster, but where this process belongs cannot be told ({_line(error)}): give "
            "--coordinator, --num-processes and --process-id, or --num-processes 1 to work alone"
        ) from error
    coordinator, processes, process, devices = found
    if coordinator is None or processes is None or process is None:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "JOB_COMPLETION_INDEX" in os.environ:
            raise NegjaxError(
                "this pod belongs to an indexed job, whose size is asked for through the package kubernetes, which is "
                "not installed: install jax[k8s], or give --coordinator, --num-processes and --process-id"
            )
        return None
    if processes == 1:
        return None  # alone: with all devices, and nobody to wait for
    return ProcessPlace(coordinator, processes, process, None if "JAX_LOCAL_DEVICE_IDS" in os.environ else devices)


def join_cluster(
    coordinator: str,
    processes: int,
    process: int,
    *,
    devices: Sequence[int] | None = None,
    seconds: int = SECONDS_TO_JOIN,
    preemption: bool = False,
) -> None:
    """Makes this the process number `process` of `processes`, before JAX is used.

    coordinator: HOST:PORT of process 0. devices: local ids of this process's GPUs, None for all. preemption: SIGTERM to
    any process no longer ends it but is what `reached_stop` tells all of them. Raises NegjaxError when not all of them
    come within `seconds`.
    """
    if not 0 <= process < processes:
        raise NegjaxError(
            f"--process-id {process}: with --num-processes {processes} it must lie in 0 to {processes - 1}"
        )
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal()):
        raise NegjaxError(f"--coordinator {coordinator}: it must be HOST:PORT of process 0")
    jax.config.update("jax_enable_preemption_service", preemption)

    def connect() -> None:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            devices,
            cluster_detection_method="deactivate",
            initialization_timeout=seconds + 60,  # past it JAX aborts the process
            heartbeat_timeout_seconds=SECONDS_UNTIL_DEAD,
        )

    who = f"process {process} of {processes}"
    waiting = f"{who} waits for the others at {coordinator}, {seconds} seconds at most"
    try:
        arrived = _in_time(connect, seconds, waiting)
    except (RuntimeError, ValueError, OSError) as error:
        raise NegjaxError(f"{who} cannot work with the others at {coordinator}: {_line(error)}") from error
    if not arrived:
        _leave_at_exit(2)
        raise NegjaxError(
            f"{who} did not find all the others at {coordinator} within {seconds} seconds: start all {processes} with "
            f"the same --coordinator and --num-processes, and see that port {port} of {host} can be reached"
        )
    logger.info("%s, %d of %d devices, coordinator %s", who, jax.local_device_count(), jax.device_count(), coordinator)


def reached_stop(number: int) -> bool:
    """Whether all processes stop here, because one of them got SIGTERM; said once.

    All of them must call it in every pass of their loop with a number that rises by one, and have joined with
    `preemption`. They learn of the signal in the background and stop at a number that none has passed yet.
    """
    return multihost_utils.reached_preemption_sync_point(number)


@contextmanager
def together() -> Iterator[None]:
    """After an error within, this process ends without waiting for the others, which then end too.

    Its exit status is 2 for NegjaxErrors (but for those with an `exit_code`, which all processes raise together), 130
    when interrupted and 1 for all else. That another process is gone becomes a NegjaxError.
    """
    try:
        yield
    except BaseException as error:
        if not jax.distributed.is_initialized() or hasattr(error, "exit_code"):
            raise
        lost = isinstance(error, jax.errors.JaxRuntimeError) and any(word in str(error) for word in LOST)
        known = {NegjaxError: 2, KeyboardInterrupt: 130}
        _leave_at_exit(2 if lost else next((code for kind, code in known.items() if isinstance(error, kind)), 1))
        if not lost:
            raise
        raise NegjaxError(
            f"process {jax.process_index()} of {jax.process_count()} lost another one ({_line(error)}): its own log "
            "says why; start all of them again with the same command"
        ) from error


def is_first() -> bool:
    """Whether this process is the one that writes results and talks."""
    return jax.process_index() == 0


def agree(said: str, what: str) -> None:
    """Raises NegjaxError on every process unless all of them say the same. Every process must call it."""
    if jax.process_count() == 1:
        return
    mine = np.frombuffer(said.encode().ljust(64)[:64], np.uint8)
    theirs = multihost_utils.process_allgather(mine)
    other = np.flatnonzero((theirs != theirs[0]).any(axis=1))
    if len(other):
        raise NegjaxError(f"process {other[0]} has {what} other than process 0: give all processes the same")


def from_first(tree: object) -> object:
    """The arrays of process 0, on every process; shapes and types must be the same everywhere."""
    return tree if jax.process_count() == 1 else multihost_utils.broadcast_one_to_all(tree)


def _in_time(work: Callable[[], None], seconds: float, waiting: str) -> bool:
    """Whether `work`, done in a thread because nothing else interrupts it, ended in time. Raises what it raises."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(min(seconds, SECONDS_OF_PATIENCE))
    if thread.is_alive() and seconds > SECONDS_OF_PATIENCE:
        logger.info("%s", waiting)
        thread.join(seconds - SECONDS_OF_PATIENCE)
    if errors:
        raise errors[0]
    return not thread.is_alive()


def _leave_at_exit(code: int) -> None:
    """The interpreter's end becomes an end at once, before JAX waits for the other processes."""

    def leave() -> None:
        time.sleep(SECONDS_TO_SPEAK)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
