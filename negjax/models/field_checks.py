"""Checks the numbers of an architecture, which come from other people's files."""

import dataclasses
import math
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from negjax.errors import NegjaxError

# Far beyond any model, and small enough that what is made before the weights are compared fits into memory.
MAX_DEPTH = 256  # blocks of a tower
MAX_IMAGE_SIZE = 8192  # pixels a side
MAX_CONTEXT = 65536  # tokens of a caption
_MOST = {"depth": MAX_DEPTH, "image_size": MAX_IMAGE_SIZE, "context_length": MAX_CONTEXT}


def check_fields(config: Any) -> None:
    """Checks the fields of a dataclass that are numbers, tuples of whole numbers, or booleans.

    Args:
        config: A dataclass. Whole numbers without a default must be 1 or more, the others 0 or more.

    Raises:
        NegjaxError: If a field is of another type, out of range or not finite.
    """
    hints = _hints(config.__class__)
    for field in dataclasses.fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        if hint is bool and type(value) is not bool:
            raise NegjaxError(f"{field.name} is {value!r}: it must be true or false")
        if hint is int:
            least = 1 if field.default is dataclasses.MISSING else 0
            most = _MOST.get(field.name, math.inf)
            if type(value) is not int or not least <= value <= most:
                limit = "" if most == math.inf else f" and at most {most}"
                raise NegjaxError(f"{field.name} is {value!r}: it must be a whole number of at least {least}{limit}")
        if get_origin(hint) is tuple:
            count, most = len(get_args(hint)), MAX_DEPTH if field.name == "depths" else math.inf
            numbers = isinstance(value, tuple) and all(type(number) is int and 1 <= number <= most for number in value)
            if not numbers or len(value) != count:
                limit = "" if most == math.inf else f" and at most {most}"
                raise NegjaxError(f"{field.name} is {value!r}: it must be {count} whole numbers of at least 1{limit}")
        if hint is float or (hint == float | None and value is not None):
            negative = type(value) in (int, float) and value < 0 and field.name.endswith("_eps")
            if type(value) not in (int, float) or not math.isfinite(value) or negative:
                raise NegjaxError(f"{field.name} is {value!r}: it must be a finite number")


@cache
def _hints(config_class: type) -> dict[str, Any]:
    """The types of a dataclass's fields; finding them takes long, and what is read is compared with all presets."""
    return get_type_hints(config_class)
