"""A workdir belongs to one experiment, which stands in its config.json."""

import json
from pathlib import Path
from typing import Any

from negjax.config import Experiment
from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic

# Settings that may change when a run is taken up again: they do not decide what is learned.
FREE = ("data_dir", "evaluation", "log_every", "checkpoint_every", "keep")


def claim(workdir: Path, experiment: Experiment) -> None:
    """Writes WORKDIR/config.json. Raises NegjaxError as `check`, and where the workdir cannot be written to."""
    check(workdir, experiment)
    write_atomic(workdir / "config.json", json.dumps(experiment.to_dict(), indent=2) + "\n")


def check(workdir: Path, experiment: Experiment) -> None:
    """Raises NegjaxError, naming a setting, where another experiment's config.json stands. Writes nothing."""
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
