"""The table of methods, and how users choose one: "space", "space,threshold=0.9", "space,constants=FILE"."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from negjax.errors import NegjaxError
from negjax.negation.calibration import Calibration, read_calibration
from negjax.negation.context import Context
from negjax.negation.deo import DEO
from negjax.negation.lcse import LCSE
from negjax.negation.method import NegationMethod, NegationScorer, Split
from negjax.negation.projection import Projection
from negjax.negation.published import Constant, published_constants
from negjax.negation.scorer import CosineScorer, Directions, Scorer
from negjax.negation.space import Space
from negjax.negation.steering import Steering
from negjax.negation.subtract import Subtract
from negjax.runtime.paths import to_path

METHODS: dict[str, type[NegationMethod]] = {
    "subtract": Subtract,
    "space": Space,
    "projection": Projection,
    "deo": DEO,
    "lcse": LCSE,
    "context": Context,
    "steering": Steering,
}
GIVEN = "given by hand"  # the origin of constants that the user gives
NO_METHOD = "none"  # the cosine with the caption as it stands


@dataclass(frozen=True)
class ChosenMethod:
    """A method with its constants.

    Attributes:
        label: as the user wrote it, in a form that serves as the name of a folder.
        name: a key of METHODS, or NO_METHOD.
        method: the method; None for the plain cosine.
        origins: constant -> where its value comes from.
        calibration: the calibration that gave constants; None for none.
    """

    label: str
    name: str = NO_METHOD
    method: NegationMethod | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None

    def scorer(self, split: Split) -> Scorer:
        """The scorer of captions that uses the method."""
        return CosineScorer() if self.method is None else NegationScorer(self.method, split)

    def describe(self) -> dict[str, Any]:
        """The method for results.json; empty for the plain cosine."""
        if self.method is None:
            return {}
        calibrated = {"calibrated_on": self.calibration.asked_set} if self.calibration else {}
        return {
            "negation": {
                "method": self.name,
                "constants": {name: getattr(self.method, name) for name in self.origins},
                "origins": dict(self.origins),
                **calibrated,
            }
        }


def choose_method(text: str, family: str, model_sha256: str = "") -> ChosenMethod:
    """The method that a user names.

    Args:
        text: "METHOD[,CONSTANT=VALUE...]"; the value of "constants" is a file of `negjax calibrate`. Constants that are
            not given have the published values for the family.
        family: of the model, `CLIPConfig.family`.
        model_sha256: of the model, that of the file must be the same; "" where it is unknown.

    Raises:
        NegjaxError: the method or a constant is unknown, a value is wrong, or the file is for another method or model.
    """
    name, *settings = (part.strip() for part in text.split(","))
    if name == NO_METHOD and not settings:
        return ChosenMethod(NO_METHOD)
    if name not in METHODS:
        raise NegjaxError(f"unknown negation method {name!r}; choose one of {', '.join([NO_METHOD, *METHODS])}")
    published = published_constants(name, family)
    values: dict[str, Any] = dict(published.constants)
    types: dict[str, Any] = {entry.name: entry.type for entry in fields(METHODS[name]) if entry.name in values}
    origins = dict.fromkeys(values, published.source)
    given: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in (*types, "constants"):
            raise NegjaxError(
                f"negation {name}: unknown constant {key!r}; choose one of {', '.join([*types, 'constants'])}, as in "
                f"{name},{next(iter(types))}={values[next(iter(types))]}"
            )
        if key in given:
            raise NegjaxError(f"negation {name}: {key} is given twice")
        given[key] = value
    calibration = None
    if "constants" in given:
        calibration = read_calibration(given["constants"], name, list(types), model_sha256)
        fitted = calibration.methods[name].constants
        values |= fitted
        origins |= dict.fromkeys(fitted, f"calibrated on {calibration.asked_set['name']}")
    for key, value in given.items():
        if key != "constants":
            values[key], origins[key] = _read_value(name, key, value, types[key]), GIVEN
    if calibration and (directions := calibration.methods[name].directions):
        values["directions"] = Directions(tuple(map(tuple, directions)))
    label = ",".join([name, *(f"{key}={_short(key, value)}" for key, value in given.items())])
    return ChosenMethod(label, name, METHODS[name](**values), origins, calibration)


def method_text(model_info: Mapping[str, Any]) -> str:
    """The method of a model's description in results.json, in words: "space, threshold 0.92"; "" for none."""
    negation = model_info.get("negation", {})
    if not negation:
        return ""
    constants = [
        (name, str(value).lower() if isinstance(value, bool) else f"{value:g}")
        for name, value in negation["constants"].items()
    ]
    return ", ".join([str(negation["method"]), *(f"{name} {value}" for name, value in constants)])


def _read_value(method: str, key: str, value: str, type_: Any) -> Constant:
    """A constant from its text."""
    if type_ is bool:
        if value not in ("true", "false"):
            raise NegjaxError(f"negation {method}: {key} is {value!r}, it must be true or false")
        return value == "true"
    try:
        return float(value)
    except ValueError as error:
        raise NegjaxError(f"negation {method}: {key} is {value!r}, it must be a number") from error


def _short(key: str, value: str) -> str:
    """A value as it stands in a label: a file by its name alone."""
    return to_path(value).stem if key == "constants" else value
