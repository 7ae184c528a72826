"""A tensor in a file that is not read yet, and the reading of its bytes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  teaches NumPy the name bfloat16
import numpy as np
from etils import epath

from negjax.errors import NegjaxError

READABLE = {
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
}
LARGEST_LIST = 1 << 24  # bytes of what lists a file's tensors; that of a real model is far below a megabyte
_SMALL = 1 << 24  # a tensor of so few numbers may have more of them than are stored (PyTorch's expand)
_BLOCK = 1 << 18  # bytes; larger ones cost more in fresh pages than they save in calls


@dataclass(frozen=True)
class Stored:
    """One tensor of a file, not read yet.

    dtype: NumPy's name, "bfloat16" included. load: reads it, C-contiguous, in that type; raises NegjaxError.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]


def read_bytes(path: epath.Path, start: int, size: int) -> np.ndarray:
    """uint8 [size], read from `start` on. Raises NegjaxError when the file has fewer bytes or cannot be read."""
    damaged = NegjaxError(f"{path} is damaged or cut short: download or copy it again")
    try:
        if not 0 <= start <= path.stat().length - size:
            raise damaged
        data = np.empty(size, np.uint8)
        with path.open("rb") as file:
            file.seek(start)
            for begin in range(0, size, _BLOCK):  # a file in a store such as gs:// cannot read into an array
                block = np.frombuffer(file.read(min(_BLOCK, size - begin)), np.uint8)
                if len(block) < min(_BLOCK, size - begin):
                    raise damaged
                data[begin : begin + _BLOCK] = block
        return data
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


def is_shape(shape: Sequence[Any], most: int) -> bool:
    """Whether this is a shape, of at most `most` numbers or else few; a side of length 0 counts as 1."""
    sides = len(shape) <= 64 and all(type(side) is int and side >= 0 for side in shape)
    return sides and math.prod(max(side, 1) for side in shape) <= max(most, _SMALL)
