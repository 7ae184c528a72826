"""PyTorch's weight files, the zip archives of torch.save and torch.jit.save, read without PyTorch."""

import functools
import zipfile
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.stored import LARGEST_LIST, READABLE, Stored, is_shape, read_bytes
from negjax.weights.unpickle import Forbidden, Module, PickledTensor, read_pickle

_OPENAI = ("input_resolution", "context_length", "vocab_size")  # these follow from the shapes of the weights
_LONGEST = 1000  # characters of a name
_MOST_ATTRIBUTES = 200_000  # of a TorchScript archive; ViT-L/14 has 6000


def read_archive(path: epath.Path) -> tuple[dict[str, Stored], bool]:
    """The tensors of an archive by name, and whether it is one of OpenAI's (then without its three sizes).

    torch.save: a state dict, or a dict with one as `state_dict`, `model_state_dict` or `model`; nothing else in it is
    read. torch.jit.save: a tree of modules. Raises NegjaxError for what is neither or is malformed, and for anything
    in it that could run.
    """
    root, members = _members(path)
    listing = _member(path, members, f"{root}data.pkl")
    if listing.file_size > LARGEST_LIST:
        raise NegjaxError(f"{path}: its data.pkl has {listing.file_size} bytes, which no list of tensors needs")
    if order := members.get(f"{root}byteorder"):
        _member(path, members, order.filename)
        if order.file_size != 6 or _content(path, order) != b"little":
            raise NegjaxError(f"{path} was not saved on a little-endian machine: load and save it again on one")
    tensors, openai = _read_list(_content(path, listing), path)
    stored = {}
    for name, tensor in tensors.items():
        member = _member(path, members, f"{root}data/{tensor.storage.key}")
        if tensor.storage.count * np.dtype(tensor.storage.dtype).itemsize > member.file_size:
            raise NegjaxError(f"{path}: the storage of {name[:80]!r} is cut short: download or save it again")
        load = functools.partial(_load, path, member, tensor)
        stored[name] = Stored(tensor.shape, tensor.dtype, load)
    return stored, openai


def _members(path: epath.Path) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The archive's own folder, as "archive/", and its members by name."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except Exception as error:  # zipfile raises whatever it trips over
        raise NegjaxError(f"{path} is a damaged or cut short zip archive: download or copy it again") from error
    members = {info.filename: info for info in infos}
    roots = [name.removesuffix("data.pkl") for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise NegjaxError(f"{path} is a zip archive, but not one of PyTorch's: it has no data.pkl in its one folder")
    if len(members) < len(infos):
        raise NegjaxError(f"{path} has two members of the same name: the file was refused")
    return roots[0], members


def _member(path: epath.Path, members: dict[str, zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """A member that lies in the file as it is."""
    if (member := members.get(name)) is None:
        raise NegjaxError(f"{path} has no {name[:80]!r}, which its tensors need: download or save it again")
    plain = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    if not plain or member.flag_bits & 1:
        raise NegjaxError(f"{path}: {name[:80]!r} is compressed or encrypted, as PyTorch never does: save it again")
    return member


def _start(path: epath.Path, member: zipfile.ZipInfo) -> int:
    """Where in the file a member's bytes begin: after its own header, whose length only the header tells."""
    header = read_bytes(path, member.header_offset, 30)
    if header[:4].tobytes() != b"PK\3\4":
        raise NegjaxError(f"{path}: {member.filename[:80]!r} is not where the archive says: download it again")
    name, extra = header[26:30].view("<u2").tolist()
    return member.header_offset + 30 + name + extra


def _content(path: epath.Path, member: zipfile.ZipInfo) -> bytes:
    return read_bytes(path, _start(path, member), member.file_size).tobytes()


def _load(path: epath.Path, member: zipfile.ZipInfo, tensor: PickledTensor) -> np.ndarray:
    """Reads the part of the storage that the tensor spans, and puts it in order."""
    dtype = np.dtype(tensor.dtype)
    start = _start(path, member) + tensor.offset * dtype.itemsize
    data = read_bytes(path, start, tensor.span * dtype.itemsize)
    steps = [step * dtype.itemsize if side > 1 else 0 for side, step in zip(tensor.shape, tensor.strides)]
    # NumPy refuses strides that lead out of the buffer.
    return np.asarray(np.ndarray(tensor.shape, dtype, data.data, 0, steps), order="C")


def _read_list(data: bytes, path: epath.Path) -> tuple[dict[str, PickledTensor], bool]:
    """The tensors that data.pkl tells of, each within its storage, and whether the archive is OpenAI's."""
    try:
        content = read_pickle(data)
        named = _module_tree(content) if isinstance(content, Module) else _state_dict(content)
        openai = all(name in named for name in _OPENAI)
        tensors = {
            name: value
            for name, value in named.items()
            if isinstance(value, PickledTensor) and not (openai and name in _OPENAI)
        }
        for name, tensor in tensors.items():
            _check(name, tensor)
    except Forbidden as error:
        raise NegjaxError(
            f"{path} asks for {error}, which weights do not need: the file was refused and nothing in it was run; "
            "if you trust it, save its state_dict alone with torch.save"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise NegjaxError(f"{path}: its tensors cannot be listed ({reason}): download or save it again") from error
    if not tensors:
        keys = ", ".join(repr(name[:40]) for name in list(named)[:5]) or "nothing"
        raise NegjaxError(f"{path} holds no tensors by name, but {keys}: save the model's state_dict with torch.save")
    return tensors, openai


def _state_dict(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError("there is no dict of tensors")
    for key in ("state_dict", "model_state_dict", "model"):
        inner = content.get(key)
        if isinstance(inner, dict) and any(isinstance(value, PickledTensor) for value in inner.values()):
            return inner
    return content


def _module_tree(root: Module) -> dict[str, Any]:
    """What the modules of a TorchScript archive hold, modules left out, by the path of names that leads to it."""
    found: dict[str, Any] = {}
    todo, visited = [("", root)], 0
    for prefix, module in todo:  # grows as it is walked
        for name, value in module.attributes.items():
            visited += 1
            path = prefix + name
            if len(path) > _LONGEST or visited > _MOST_ATTRIBUTES:
                raise ValueError("its modules are too many or in a circle")
            if path in found:
                raise ValueError(f"the name {path[:80]!r} is there twice")
            if isinstance(value, Module):
                todo.append((f"{path}.", value))
            else:
                found[path] = value
    return found


def _check(name: str, tensor: PickledTensor) -> None:
    """Raises ValueError where a tensor is malformed or reaches outside of its storage."""
    storage, offset, shape, strides = tensor.storage, tensor.offset, tensor.shape, tensor.strides
    if tensor.dtype not in READABLE:
        raise ValueError(f"the tensor {name[:80]!r} is of type {tensor.dtype}: save it in float16 or bfloat16")
    capacity = storage.count * np.dtype(storage.dtype).itemsize // np.dtype(tensor.dtype).itemsize
    steps = isinstance(strides, tuple) and all(type(step) is int and step >= 0 for step in strides)
    if not (steps and isinstance(shape, tuple) and is_shape(shape, capacity) and len(strides) == len(shape)):
        raise ValueError(f"the tensor {name[:80]!r} has no valid shape and strides")
    if type(offset) is not int or offset < 0 or (tensor.span and offset + tensor.span > capacity):
        raise ValueError(f"the tensor {name[:80]!r} reaches outside of its storage")
