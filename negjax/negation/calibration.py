"""Constants of a method that were fitted to one model on one set, as a JSON file of `negjax calibrate`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from etils import epath

from negjax.errors import MALFORMED_CONTENT, NegjaxError
from negjax.negation.published import Constant
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path


@dataclass(frozen=True)
class Calibration:
    """Fitted constants.

    Attributes:
        method: name of the method.
        constants: constant -> value, of those that were fitted.
        model: what the constants belong to: "arch", "source", "sha256".
        asked_set: the set that they were fitted on: "name", and the sums "questions" and "media" of `SetFingerprint`.
        metric: what was maximised.
        curve: constant -> pairs of a value and the metric with it.
    """

    method: str
    constants: Mapping[str, Constant]
    model: Mapping[str, str]
    asked_set: Mapping[str, str]
    metric: str
    curve: Mapping[str, Sequence[Sequence[float]]]


def write_calibration(calibration: Calibration, path: epath.PathLike) -> None:
    """Writes a calibration as JSON, complete or not at all."""
    write_atomic(to_path(path), json.dumps(asdict(calibration), indent=2, allow_nan=False) + "\n")


def read_calibration(path: epath.PathLike, method: str, constants: Sequence[str], model_sha256: str) -> Calibration:
    """Reads a calibration.

    Args:
        path: a file of `negjax calibrate`.
        method: the method that it must be for.
        constants: the constants that this method has.
        model_sha256: of the model that it must be for; "" where it is unknown.

    Raises:
        NegjaxError: the file cannot be read, or is for another method or model.
    """
    try:
        content: dict[str, Any] = json.loads(to_path(path).read_text())
        calibration = Calibration(**content)
        for key, value in calibration.constants.items():
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{key} is {value!r}")
        str(calibration.asked_set["name"]), str(calibration.model["sha256"])
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): give a file of negjax calibrate") from error
    except MALFORMED_CONTENT as error:
        raise NegjaxError(f"{path} is not a file of negjax calibrate ({error}): calibrate again") from error
    if calibration.method != method:
        raise NegjaxError(
            f"{path} has constants of {calibration.method}, not of {method}: calibrate --negation {method}"
        )
    if unknown := set(calibration.constants) - set(constants):
        raise NegjaxError(f"{path}: {method} has no constant {', '.join(sorted(unknown))}: calibrate again")
    if model_sha256 and calibration.model["sha256"] not in ("", model_sha256):
        raise NegjaxError(
            f"{path} was calibrated for {calibration.model.get('source', 'another model')}, whose weights are not this "
            "model's: calibrate this model, or give the constants by hand"
        )
    return calibration
