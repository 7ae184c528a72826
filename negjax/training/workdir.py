"""A workdir belongs to one experiment, which stands in its config.json."""

import json
import time
from typing import Any

import jax
from etils import epath
from jax.experimental import multihost_utils

from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.distributed import is_first
from negjax.runtime.files import write_atomic

SECONDS_TO_APPEAR = 60  # of a file that another machine wrote: network file systems take their time

# Settings that may change when a run is taken up again: they do not decide what is learned.
FREE = ("data_dir", "evaluation", "loss", "mesh", "logging", "log_every", "checkpoint_every", "keep", "most_broken")


def claim(workdir: epath.PathLike, experiment: Experiment) -> None:
    """Writes WORKDIR/config.json, if this is the first process.

    Raises NegjaxError as `check`, where the workdir cannot be written to, and where processes do not share it.
    """
    check(workdir, experiment)
    path = epath.Path(workdir) / "config.json"
    if is_first():
        write_atomic(path, json.dumps(experiment.to_dict(), indent=2) + "\n")
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the workdir is claimed")
        until = time.monotonic() + SECONDS_TO_APPEAR
        while not path.exists():
            if time.monotonic() > until:
                raise NegjaxError(f"--workdir {workdir} is not the folder that process 0 writes to: all must share it")
            time.sleep(1)


def check(workdir: epath.PathLike, experiment: Experiment) -> None:
    """Raises NegjaxError, naming a setting, where another experiment's config.json stands. Writes nothing."""
    workdir = epath.Path(workdir)
    path = workdir / "config.json"
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
