"""Checks the values in other people's JSON before they are used: a table says what a key may hold."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from negjax.errors import NegjaxError

MAX_WHOLE = 2**31 - 1
_MAX_SHOWN = 60  # characters of a value in an error


@dataclass(frozen=True)
class Kind:
    """What a key may hold.

    Attributes:
        description: As errors say it: "it must be ...".
        holds: Whether a value is of this kind.
    """

    description: str
    holds: Callable[[Any], bool]


def whole(least: int, most: int = MAX_WHOLE) -> Kind:
    """A whole number from `least` to `most`."""
    limits = f"from {least} to {most}" if most < MAX_WHOLE else f"of at least {least}"
    return Kind(f"a whole number {limits}", lambda value: type(value) is int and least <= value <= most)


def number(least: float = -math.inf) -> Kind:
    """A finite number of at least `least`."""
    limit = "" if least == -math.inf else f" of at least {least:g}"
    return Kind(
        f"a finite number{limit}",
        lambda value: type(value) in (int, float) and least <= value <= MAX_WHOLE,
    )


def optional(kind: Kind) -> Kind:
    """The kind, or null."""
    return Kind(f"{kind.description}, or null", lambda value: value is None or kind.holds(value))


FLAG = Kind("true or false", lambda value: type(value) is bool)
TEXT = Kind("a text", lambda value: isinstance(value, str))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))


def check_values(data: Mapping[str, Any], kinds: Mapping[str, Kind], path: str = "") -> None:
    """Checks an object and those in it, as far as the table has their keys.

    Args:
        data: The object.
        kinds: What each key may hold, wherever it is. A key that it does not have may hold anything.
        path: The path of the object as errors name it, e.g. "text_cfg.".

    Raises:
        NegjaxError: A value is of another kind.
    """
    for key, value in data.items():
        if key not in kinds:
            continue
        if not kinds[key].holds(value):
            raise NegjaxError(f"{path}{key} is {_shown(value)}: it must be {kinds[key].description}")
        if isinstance(value, dict):
            check_values(value, kinds, f"{path}{key}.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
