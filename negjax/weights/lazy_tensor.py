"""Tensors of a file that are read on demand, and the reading of their bytes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  teaches NumPy the name bfloat16
import numpy as np
from etils import epath

from negjax.errors import NegjaxError

READABLE_TYPES = {
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
}
MAX_INDEX_BYTES = 1 << 24  # of the list of a file's tensors; that of a real model is far below a megabyte
_MAX_EXPANDED = 1 << 24  # elements that a tensor may have although fewer are stored (PyTorch's expand)
_BLOCK_BYTES = 1 << 18  # larger blocks cost more in fresh memory pages than they save in calls


@dataclass(frozen=True)
class LazyTensor:
    """One tensor of a file, not read yet.

    Attributes:
        shape: Its shape.
        dtype: NumPy's name of its type, or "bfloat16".
        load: Reads it, C-contiguous, in that type. Raises NegjaxError.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]


def read_bytes(path: epath.Path, start: int, size: int) -> np.ndarray:
    """Reads `size` bytes from the offset `start` on, as uint8 [size].

    Raises:
        NegjaxError: If the file has fewer bytes or cannot be read.
    """
    damaged = NegjaxError(f"{path} is damaged or cut short: download or copy it again")
    try:
        if not 0 <= start <= path.stat().length - size:
            raise damaged
        data = np.empty(size, np.uint8)
        with path.open("rb") as file:
            file.seek(start)
            for begin in range(0, size, _BLOCK_BYTES):  # files in a store such as gs:// have no readinto
                block = np.frombuffer(file.read(min(_BLOCK_BYTES, size - begin)), np.uint8)
                if len(block) < min(_BLOCK_BYTES, size - begin):
                    raise damaged
                data[begin : begin + _BLOCK_BYTES] = block
        return data
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


def is_shape(shape: Sequence[Any], capacity: int) -> bool:
    """Whether `shape` is valid for a tensor of which `capacity` elements are stored; a side of length 0 counts as 1."""
    valid = len(shape) <= 64 and all(type(side) is int and side >= 0 for side in shape)
    return valid and math.prod(max(side, 1) for side in shape) <= max(capacity, _MAX_EXPANDED)
