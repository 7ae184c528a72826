"""Writing safetensors one tensor at a time, so that no second copy of a model is held in memory.

Source: the format's description (8 bytes of header length, a JSON header, the data), which the `safetensors` library
reads; that library writes from a dictionary of whole arrays.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils import epath

from negjax.runtime.files import open_atomic

TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


@dataclass(frozen=True)
class TensorToWrite:
    """A tensor to be written. dtype: a key of TYPES. make: called once, gives its values in any float type."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def value(self) -> np.ndarray:
        """Its values, C-contiguous, in its type."""
        return np.ascontiguousarray(self.make(), np.dtype(self.dtype)).reshape(self.shape)


def write_safetensors(path: epath.PathLike, tensors: Sequence[TensorToWrite], metadata: Mapping[str, str]) -> None:
    """Writes a whole file or none. Raises NegjaxError when it cannot be written."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for tensor in tensors:
        place = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape)}
        header[tensor.name] = place | {"data_offsets": [start, start + tensor.nbytes]}
        start += tensor.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open_atomic(path) as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for tensor in tensors:
            file.write(tensor.value().reshape(-1).view(np.uint8).data)
