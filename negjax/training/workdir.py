"""A workdir belongs to one experiment, which stands in its config.json, and to one run at a time."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import jax
from etils import epath
from jax.experimental import multihost_utils

from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.distributed import check_agreement, is_first_process
from negjax.runtime.files import check_writable, is_local, write_atomic
from negjax.runtime.locks import lock_folder

SECONDS_TO_LEAVE = 120  # of a run that is there still: it may be saving, or its machine be lost and its lock run out
SECONDS_TO_APPEAR = 60  # of a file that another machine wrote: network file systems take their time

# Settings that may change when a run is taken up again: they do not decide what is learned.
FREE = ("data_dir", "evaluation", "loss", "mesh", "logging", "log_every", "checkpoint_every", "keep", "most_broken")


@contextmanager
def claimed(workdir: epath.PathLike, experiment: Experiment) -> Iterator[None]:
    """Within, the workdir is this run's alone, and its config.json says which experiment it is.

    Raises NegjaxError as `check`, where another run is there and stays, where the workdir cannot be written to, and
    where processes do not share it or have other settings.
    """
    check_workdir(workdir, experiment)
    folder, settings = epath.Path(workdir), experiment.to_dict()
    path = folder / "config.json"
    alike = json.dumps(settings | {"data_dir": ""})  # hosts may have data of their own
    check_agreement(hashlib.sha256(alike.encode()).hexdigest(), "settings")  # and connects: the others can wait then
    with ExitStack() as stack:
        if is_first_process():
            check_writable(folder)
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock_folder(folder, f"--workdir {workdir} is in use by another run", SECONDS_TO_LEAVE))
            check_workdir(workdir, experiment)
            write_atomic(path, json.dumps(settings, indent=2) + "\n")
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("the workdir is claimed")
        until = time.monotonic() + SECONDS_TO_APPEAR
        while not path.exists():
            if time.monotonic() > until:
                raise NegjaxError(f"--workdir {workdir} is not the folder that process 0 writes to: all must share it")
            time.sleep(1)
        yield


def check_workdir(workdir: epath.PathLike, experiment: Experiment) -> None:
    """Raises NegjaxError, naming a setting, where another experiment's config.json stands. Writes nothing."""
    workdir = epath.Path(workdir)
    path = workdir / "config.json"
    if not is_local(workdir) and not str(workdir).startswith("gs://"):
        raise NegjaxError(
            f"--workdir {workdir}: gs:// is the only store that checkpoints can be written to; mount it as a folder"
        )
    if workdir.exists() and not workdir.is_dir():
        raise NegjaxError(f"--workdir {workdir} is not a folder: use another one")
    if path.exists():
        try:
            found = json.loads(path.read_text())
        except ValueError as error:
            raise NegjaxError(f"{path} is not valid JSON: mend it or use another --workdir") from error
        differing = _first_difference(found, json.loads(json.dumps(experiment.to_dict())))
        if differing:
            raise NegjaxError(f"{workdir} holds another experiment ({differing}): use another --workdir")


def _first_difference(found: Any, wanted: Any, where: str = "config") -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**found, **wanted}:
            if where == "config" and key in FREE:
                continue
            difference = _first_difference(found.get(key), wanted.get(key), f"{where}.{key}")
            if difference:
                return difference
        return ""
    return "" if found == wanted else f"{where} is {found!r} there and {wanted!r} now"
