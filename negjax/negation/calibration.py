"""Constants of methods that were fitted to one model on one set, as a JSON file of `negjax calibrate`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import MALFORMED_CONTENT, NegjaxError
from negjax.negation.published import Constant
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path


@dataclass(frozen=True)
class FittedMethod:
    """The constants of a method that were fitted.

    Attributes:
        constants: constant -> value.
        figure: the metric with them.
        curve: constant -> pairs of a value and the metric with it, the other constants being as they were then.
        directions: of steering, a unit vector for each block of the text tower; () for other methods.
    """

    constants: Mapping[str, Constant]
    figure: float
    curve: Mapping[str, Sequence[Sequence[float]]]
    directions: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Calibration:
    """What was fitted to a model on a set.

    Attributes:
        model: the model: "arch", "source", "sha256".
        asked_set: the set: "name", and the sums "questions" and "media" of `SetFingerprint`.
        metric: what was maximised.
        plain: the metric without a method.
        methods: method -> its constants.
    """

    model: Mapping[str, str]
    asked_set: Mapping[str, str]
    metric: str
    plain: float
    methods: Mapping[str, FittedMethod]


def write_calibration(calibration: Calibration, path: epath.PathLike) -> None:
    """Writes a calibration as JSON, complete or not at all."""
    write_atomic(to_path(path), json.dumps(asdict(calibration), indent=2, allow_nan=False) + "\n")


def read_calibration(path: epath.PathLike, method: str, constants: Sequence[str], model_sha256: str) -> Calibration:
    """Reads a calibration.

    Args:
        path: a file of `negjax calibrate`.
        method: the method whose constants it must have.
        constants: the constants that this method has.
        model_sha256: of the model that it must be for; "" where it is unknown.

    Raises:
        NegjaxError: the file cannot be read, or is for other methods or another model.
    """
    try:
        content: dict[str, Any] = json.loads(to_path(path).read_text())
        fitted = {name: FittedMethod(**entry) for name, entry in content.pop("methods").items()}
        calibration = Calibration(**content, methods=fitted)
        for entry in fitted.values():
            for key, value in entry.constants.items():
                if not isinstance(value, int | float) or not math.isfinite(value):
                    raise ValueError(f"{key} is {value!r}")
            if not np.isfinite(np.array(entry.directions, np.float64)).all():
                raise ValueError("its directions are not finite")
        str(calibration.asked_set["name"]), str(calibration.model["sha256"])
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): give a file of negjax calibrate") from error
    except MALFORMED_CONTENT as error:
        raise NegjaxError(f"{path} is not a file of negjax calibrate ({error}): calibrate again") from error
    if method not in fitted:
        raise NegjaxError(f"{path} has constants of {', '.join(fitted)}, not of {method}: calibrate {method}")
    if unknown := set(fitted[method].constants) - set(constants):
        raise NegjaxError(f"{path}: {method} has no constant {', '.join(sorted(unknown))}: calibrate again")
    if model_sha256 and calibration.model["sha256"] not in ("", model_sha256):
        raise NegjaxError(
            f"{path} was calibrated for {calibration.model.get('source', 'another model')}, whose weights are not this "
            "model's: calibrate this model, or give the constants by hand"
        )
    return calibration
