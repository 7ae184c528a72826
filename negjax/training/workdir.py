"""A workdir belongs to one experiment, the one in its config.json, and to one run at a time."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.distributed import broadcast_from_first, check_agreement, is_first_process
from negjax.runtime.files import check_writable, write_atomic
from negjax.runtime.locks import lock_folder
from negjax.runtime.paths import to_path

SECONDS_TO_LEAVE = 120  # wait for another run in the workdir, which may be saving, or whose lock may expire
SECONDS_TO_APPEAR = 45  # wait for a file of another machine: network file systems have delays

# Settings that may change when a run is resumed: they do not decide what is learned.
FREE_SETTINGS = (
    "data_dir",
    "evaluation",
    "loss",
    "mesh",
    "logging",
    "log_every",
    "checkpoint_every",
    "keep",
    "most_broken",
)


@contextmanager
def claim_workdir(workdir: epath.PathLike, experiment: Experiment) -> Iterator[None]:
    """A context in which no other run uses the workdir, and its config.json holds the experiment.

    Raises:
        NegjaxError: as `check_workdir`; another run uses the workdir and does not end; it cannot be written to; the
            processes do not share it, or have different settings.
    """
    check_workdir(workdir, experiment)
    folder, settings = epath.Path(workdir), experiment.to_dict()
    path = folder / "config.json"
    shared = json.dumps(settings | {"data_dir": ""})  # each host may have its own folder of data
    # Agreeing also connects the processes, so that the others can wait for process 0.
    check_agreement(hashlib.sha256(shared.encode()).hexdigest(), "settings")
    with ExitStack() as stack:
        if is_first_process():
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(folder, f"--workdir {workdir} is in use by another run", SECONDS_TO_LEAVE))
            check_workdir(workdir, experiment)
            write_atomic(path, json.dumps(settings, indent=2) + "\n")
        if jax.process_count() > 1:
            _check_shared(folder)
        yield


def _check_shared(workdir: epath.Path) -> None:
    """Checks that all processes see one workdir, by a file that process 0 writes and removes. Every process calls it.

    Raises:
        NegjaxError: on every process, when one does not see the file in time.
    """
    token = broadcast_from_first(np.array(secrets.randbits(31)))
    path = workdir / f".shared-{int(token):x}"  # type: ignore[call-overload]
    if is_first_process():
        write_atomic(path, "")
    multihost_utils.sync_global_devices("the workdir is claimed")
    until = time.monotonic() + SECONDS_TO_APPEAR
    while not (seen := path.exists()) and time.monotonic() < until:
        time.sleep(1)
    seen_by = multihost_utils.process_allgather(np.array(seen)).reshape(-1)
    if is_first_process():
        path.unlink(missing_ok=True)
    if not seen_by.all():
        blind = int(np.flatnonzero(~seen_by)[0])
        raise NegjaxError(f"process {blind} has another --workdir than process 0: all must share one folder")


def check_workdir(workdir: epath.PathLike, experiment: Experiment) -> None:
    """Checks that a workdir is usable and holds no other experiment. Writes nothing.

    Raises:
        NegjaxError: it holds another experiment (the first setting that differs is named), is not a folder that can be
            written to, or is in a store that is not supported.
    """
    workdir = to_path(workdir, "--workdir")
    path = workdir / "config.json"
    check_writable(workdir)
    if workdir.exists() and not workdir.is_dir():
        raise NegjaxError(f"--workdir {workdir} is not a folder: use another one")
    if path.exists():
        try:
            stored = json.loads(path.read_text())
        except ValueError as error:
            raise NegjaxError(f"{path} is not valid JSON: fix it or use another --workdir") from error
        difference = _first_difference(stored, json.loads(json.dumps(experiment.to_dict())))
        if difference:
            raise NegjaxError(f"{workdir} holds another experiment ({difference}): use another --workdir")


def _first_difference(stored: Any, current: Any, where: str = "config") -> str:
    """The first setting that differs, with both values; empty where all are equal."""
    if isinstance(stored, dict) and isinstance(current, dict):
        for key in {**stored, **current}:
            if where == "config" and key in FREE_SETTINGS:
                continue
            difference = _first_difference(stored.get(key), current.get(key), f"{where}.{key}")
            if difference:
                return difference
        return ""
    return "" if stored == current else f"{where} is {stored!r} there and {current!r} now"
