"""Several processes as one: joining them, and what they must agree on."""

import logging

import jax
import numpy as np
from jax.experimental import multihost_utils

from negjax.errors import NegjaxError

SECONDS_TO_JOIN = 300

logger = logging.getLogger(__name__)


def join(coordinator: str, processes: int, process: int) -> None:
    """Makes this the process number `process` of `processes`, before JAX is used.

    coordinator: HOST:PORT of process 0. Raises NegjaxError when not all of them come within SECONDS_TO_JOIN.
    """
    if not 0 <= process < processes:
        raise NegjaxError(
            f"--process-id {process}: with --num-processes {processes} it must lie in 0 to {processes - 1}"
        )
    try:
        jax.distributed.initialize(coordinator, processes, process, initialization_timeout=SECONDS_TO_JOIN)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(
            f"process {process} of {processes} did not find the others at {coordinator} ({reason}): start all of them "
            "with the same --coordinator and --num-processes"
        ) from error
    logger.info(
        "process %d of %d, %d of %d devices, coordinator %s",
        process,
        processes,
        jax.local_device_count(),
        jax.device_count(),
        coordinator,
    )


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
