"""Safetensors files: the header read without the data, and writing one tensor at a time.

Writing so holds no second copy of a model in memory, unlike the `safetensors` library, which writes whole arrays. The
format is 8 bytes of header length, a JSON header, and the tensors' bytes without gaps:
https://github.com/huggingface/safetensors#format
"""

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic
from negjax.weights.lazy_tensor import MAX_INDEX_BYTES, LazyTensor, is_shape, read_bytes

_NUMPY_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_WRITTEN_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


@dataclass(frozen=True)
class TensorToWrite:
    """A tensor to be written.

    Attributes:
        name: Its name in the file.
        shape: Its shape.
        dtype: "float32", "float16" or "bfloat16".
        make: Called once, gives its values in any float type.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    make: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def value(self) -> np.ndarray:
        """Its values, C-contiguous, in its type and shape."""
        return np.ascontiguousarray(self.make(), np.dtype(self.dtype)).reshape(self.shape)


def write_safetensors(path: epath.PathLike, tensors: Sequence[TensorToWrite], metadata: Mapping[str, str]) -> None:
    """Writes a complete file or none. Raises NegjaxError if it cannot be written."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": _WRITTEN_TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, start + tensor.nbytes],
        }
        start += tensor.nbytes
    header_bytes = json.dumps(header).encode()
    header_bytes += b" " * (-len(header_bytes) % 8)
    with open_atomic(path) as file:
        file.write(len(header_bytes).to_bytes(8, "little") + header_bytes)
        for tensor in tensors:
            file.write(tensor.value().reshape(-1).view(np.uint8).data)


def open_safetensors(path: epath.Path) -> tuple[dict[str, LazyTensor], dict[str, str]]:
    """The tensors of a file by name, and its __metadata__. Raises NegjaxError for a malformed file."""
    header_length = int.from_bytes(read_bytes(path, 0, 8).tobytes(), "little")
    if header_length > MAX_INDEX_BYTES:
        raise NegjaxError(f"{path}: its header has {header_length} bytes, which no list of tensors needs")
    header = parse_json_object(path, read_bytes(path, 8, header_length).tobytes())
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise NegjaxError(f"{path}: its __metadata__ is not a dict of strings: save it again")
    data_start = 8 + header_length
    tensors, ranges = {}, []
    for name, entry in header.items():
        shape, dtype, begin, end = _parse_entry(path, name, entry)
        ranges.append((begin, end, name))
        load = functools.partial(_load, path, data_start + begin, shape, dtype)
        tensors[name] = LazyTensor(shape, dtype.name, load)
    expected_size = data_start + _check_contiguous(path, ranges)
    size = path.stat().length
    if size != expected_size:
        raise NegjaxError(f"{path} has {size} bytes instead of {expected_size}: download or copy it again")
    return tensors, metadata


def _parse_entry(path: epath.Path, name: str, entry: Any) -> tuple[tuple[int, ...], np.dtype, int, int]:
    """Shape, type, and first and last offset of a tensor of the header."""
    match entry:
        case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise NegjaxError(f"{path}: its header is damaged at {name[:80]!r}: download or save it again")
    if code not in _NUMPY_TYPES:
        raise NegjaxError(f"{path}: the tensor {name[:80]!r} is of type {code[:20]!r}: save it in float16 or bfloat16")
    dtype = np.dtype(_NUMPY_TYPES[code])
    if not is_shape(shape, end - begin) or math.prod(shape) * dtype.itemsize != end - begin:
        raise NegjaxError(f"{path}: the tensor {name[:80]!r} is not as long as its shape: download it again")
    return tuple(shape), dtype, begin, end


def _check_contiguous(path: epath.Path, ranges: list[tuple[int, int, str]]) -> int:
    """Where the last tensor ends. Raises NegjaxError if tensors overlap or leave a gap."""
    reached = 0
    for begin, end, name in sorted(ranges):
        if begin != reached:
            raise NegjaxError(f"{path}: the tensor {name[:80]!r} overlaps another or leaves a gap: download it again")
        reached = end
    return reached


def _load(path: epath.Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    return read_bytes(path, start, size).view(dtype).reshape(shape)


def parse_json_object(path: epath.Path, text: bytes) -> dict[str, Any]:
    """Parses a JSON object of the file `path`. Raises NegjaxError if it is malformed or has a duplicate name."""

    def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(named := dict(pairs)) < len(pairs):
            raise ValueError("duplicate name")
        return named

    try:
        parsed = json.loads(text, object_pairs_hook=refuse_duplicates)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise NegjaxError(f"{path}: its JSON cannot be read ({reason}): download or save it again") from error
    if not isinstance(parsed, dict):
        raise NegjaxError(f"{path}: its JSON is not an object: download or save it again")
    return parsed
