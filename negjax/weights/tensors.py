"""The tensors of weight files by name: safetensors, whole or in shards, and what PyTorch saves; read when asked."""

import functools
import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.stored import LARGEST_LIST, Stored, is_shape, read_bytes
from negjax.weights.torch_archive import read_archive

_SAFETENSORS = {
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
_WRAPPERS = ("module.", "_orig_mod.", "module.")  # DistributedDataParallel's and torch.compile's, either one outside


@dataclass(frozen=True)
class TensorFile:
    """The tensors of a weights file by name, and what else it says.

    metadata: safetensors' own __metadata__, else empty. openai: the file is as OpenAI published CLIP, and held
    input_resolution, context_length and vocab_size, which are not in `tensors`. files: all that were read.
    """

    tensors: dict[str, Stored]
    metadata: dict[str, str]
    openai: bool
    files: tuple[epath.Path, ...]


def open_tensors(path: epath.PathLike) -> TensorFile:
    """The tensors of a file, whatever it is called: safetensors, a safetensors index, or what PyTorch 1.6+ saves.

    Of a checkpoint only its state dict. A `module.` or `_orig_mod.` before every name is taken off. Nothing in the
    file is run. Raises NegjaxError when it is none of these, damaged, or asks for anything but tensors.
    """
    place = epath.Path(path)
    head = _head(place)
    is_json = head.lstrip().startswith(b"{") and b"\0" not in head[:8]  # safetensors start with a length: it has zeros
    opened = _open_index(place) if is_json else _open_one(place, head)
    tensors = opened.tensors
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): stored for name, stored in tensors.items()}
    return replace(opened, tensors=tensors)


def _head(path: epath.Path) -> bytes:
    if path.is_dir():
        raise NegjaxError(f"{path} is a folder: give the weights file in it")
    try:
        with path.open("rb") as file:
            return file.read(64)
    except FileNotFoundError as error:
        raise NegjaxError(f"there is no {path}: give a weights file") from error
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


def _open_one(path: epath.Path, head: bytes) -> TensorFile:
    """A file that stands for itself, by its first bytes."""
    if head.startswith(b"PK\3\4"):
        tensors, openai = read_archive(path)
        return TensorFile(tensors, {}, openai, (path,))
    if head[7:9] == b"\0{":
        return _open_safetensors(path)
    if not head:
        raise NegjaxError(f"{path} is empty: download or copy it again")
    if head.startswith(b"version https://git-lfs"):
        raise NegjaxError(f"{path} is a Git LFS pointer, not the weights: fetch them with `git lfs pull` in its folder")
    if head.startswith(b"\x80"):
        raise NegjaxError(
            f"{path} was saved by PyTorch before 1.6 or is another pickle: "
            "load it with torch.load(weights_only=True) and torch.save it again with a current PyTorch"
        )
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise NegjaxError(f"{path} is a web page, not weights: download the file itself")
    raise NegjaxError(f"{path} is neither a safetensors file nor one that PyTorch saved: give a weights file")


def _open_index(path: epath.Path) -> TensorFile:
    """The shards beside an index whose `weight_map` says which one holds each tensor."""
    index = _parse(path, read_bytes(path, 0, min(path.stat().length, LARGEST_LIST)).tobytes())
    shard_of = index.get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise NegjaxError(f"{path} is JSON without a weight_map: give a weights file or a safetensors index")
    shards = {}
    for name in shard_of.values():
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name:
            raise NegjaxError(f"{path} names {str(name)[:80]!r}, which is no file beside it: the index was refused")
        if name not in shards:
            shard = path.parent / name
            if not shard.exists():
                raise NegjaxError(f"{path} needs {shard}, which is missing: download all shards into one folder")
            shards[name] = _open_one(shard, _head(shard))
    for tensor, name in shard_of.items():
        if tensor not in shards[name].tensors:
            raise NegjaxError(f"{path} says that {tensor[:80]!r} is in {name}, but it is not: download them again")
    return TensorFile(
        tensors={tensor: shards[name].tensors[tensor] for tensor, name in shard_of.items()},
        metadata={key: text for shard in shards.values() for key, text in shard.metadata.items()},
        openai=False,
        files=(path, *(shard.files[0] for shard in shards.values())),
    )


def _open_safetensors(path: epath.Path) -> TensorFile:
    """8 bytes of the header's length, a JSON header, and the tensors' bytes without gaps.

    The format: https://github.com/huggingface/safetensors#format
    """
    length = int.from_bytes(read_bytes(path, 0, 8).tobytes(), "little")
    if length > LARGEST_LIST:
        raise NegjaxError(f"{path}: its header has {length} bytes, which no list of tensors needs")
    header = _parse(path, read_bytes(path, 8, length).tobytes())
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise NegjaxError(f"{path}: its __metadata__ is not a dict of strings: save it again")
    tensors, ranges = {}, []
    for name, entry in header.items():
        match entry:
            case {"dtype": str(code), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
                pass
            case _:
                raise NegjaxError(f"{path}: its header is damaged at {name[:80]!r}: download or save it again")
        if code not in _SAFETENSORS:
            raise NegjaxError(
                f"{path}: the tensor {name[:80]!r} is of type {code[:20]!r}: save it in float16 or bfloat16"
            )
        dtype = np.dtype(_SAFETENSORS[code])
        if not is_shape(shape, end - begin) or math.prod(shape) * dtype.itemsize != end - begin:
            raise NegjaxError(f"{path}: the tensor {name[:80]!r} is not as long as its shape: download it again")
        ranges.append((begin, end, name))
        load = functools.partial(_load, path, 8 + length + begin, tuple(shape), dtype)
        tensors[name] = Stored(tuple(shape), dtype.name, load)
    reached = 0
    for begin, end, name in sorted(ranges):
        if begin != reached:
            raise NegjaxError(f"{path}: the tensor {name[:80]!r} overlaps another or leaves a gap: download it again")
        reached = end
    size = path.stat().length
    if 8 + length + reached != size:
        raise NegjaxError(f"{path} has {size} bytes instead of {8 + length + reached}: download or copy it again")
    return TensorFile(tensors, metadata, False, (path,))


def _load(path: epath.Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    return read_bytes(path, start, size).view(dtype).reshape(shape)


def _parse(path: epath.Path, text: bytes) -> dict[str, Any]:
    """A JSON object in which no name is there twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(named := dict(pairs)) < len(pairs):
            raise ValueError("a name is there twice")
        return named

    try:
        parsed = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise NegjaxError(f"{path}: its JSON cannot be read ({reason}): download or save it again") from error
    if not isinstance(parsed, dict):
        raise NegjaxError(f"{path}: its JSON is no object: download or save it again")
    return parsed
