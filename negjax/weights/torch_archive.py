"""PyTorch's weight files, the zip archives of torch.save and torch.jit.save, read without PyTorch."""

import functools
import logging
import zipfile
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.lazy_tensor import MAX_INDEX_BYTES, READABLE_TYPES, LazyTensor, is_shape, read_bytes
from negjax.weights.pickled_objects import ForbiddenPickle, PickledModule, PickledTensor
from negjax.weights.unpickle import read_pickle

_OPENAI_SIZES = ("input_resolution", "context_length", "vocab_size")  # they follow from the shapes of the weights
_STATE_DICT_KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "module",
)  # that of a training run, in order of preference
_MAX_NAME_LENGTH = 1000
_MAX_ATTRIBUTES = 200_000  # of a TorchScript archive; ViT-L/14 has 6000

logger = logging.getLogger(__name__)


def read_archive(path: epath.Path, key: str = "") -> tuple[dict[str, LazyTensor], bool, str]:
    """The tensors of an archive by name, whether it is one of OpenAI's (then without its three sizes), and their entry.

    Of torch.save: a state dict, or a dict that holds one; nothing else in it is read. Of torch.jit.save: a tree of
    modules.

    Args:
        path: The archive.
        key: The entry whose state dict is read, if it has one; by default `state_dict`, `model_state_dict`, `model` or
            `module`, in this order. Others of that size are told.

    Raises:
        NegjaxError: If the archive is neither, is malformed, or holds anything that could run code.
    """
    root, members = _list_members(path)
    pickle_member = _get_member(path, members, f"{root}data.pkl")
    if pickle_member.file_size > MAX_INDEX_BYTES:
        raise NegjaxError(f"{path}: its data.pkl has {pickle_member.file_size} bytes, which no list of tensors needs")
    if byteorder := members.get(f"{root}byteorder"):
        _get_member(path, members, byteorder.filename)
        if byteorder.file_size != 6 or _read_member(path, byteorder) != b"little":
            raise NegjaxError(f"{path} was not saved on a little-endian machine: load and save it again on one")
    pickled_tensors, openai, name_of_entry = _list_tensors(_read_member(path, pickle_member), path, key)
    tensors = {}
    for name, tensor in pickled_tensors.items():
        member = _get_member(path, members, f"{root}data/{tensor.storage.key}")
        if tensor.storage.count * np.dtype(tensor.storage.dtype).itemsize > member.file_size:
            raise NegjaxError(f"{path}: the storage of {name[:80]!r} is cut short: download or save it again")
        load = functools.partial(_load, path, member, tensor)
        tensors[name] = LazyTensor(tensor.shape, tensor.dtype, load)
    return tensors, openai, name_of_entry


def _list_members(path: epath.Path) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The archive's folder, as "archive/", and its members by name."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except Exception as error:  # zipfile raises many kinds
        raise NegjaxError(f"{path} is a damaged or cut short zip archive: download or copy it again") from error
    members = {info.filename: info for info in infos}
    roots = [name.removesuffix("data.pkl") for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if members and all(name.endswith(".npy") for name in members):
        raise NegjaxError(
            f"{path} is a zip archive, but not one of PyTorch's: it is NumPy's (.npz); write its arrays, under the "
            "names that PyTorch's weights have, with safetensors.numpy.save_file"
        )
    if len(roots) != 1:
        raise NegjaxError(f"{path} is a zip archive, but not one of PyTorch's: it has no data.pkl in its one folder")
    if len(members) < len(infos):
        raise NegjaxError(f"{path} has two members of the same name: the file was refused")
    return roots[0], members


def _get_member(path: epath.Path, members: dict[str, zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """A member that is neither compressed nor encrypted."""
    if (member := members.get(name)) is None:
        raise NegjaxError(f"{path} has no {name[:80]!r}, which its tensors need: download or save it again")
    plain = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    if not plain or member.flag_bits & 1:
        raise NegjaxError(f"{path}: {name[:80]!r} is compressed or encrypted, as PyTorch never does: save it again")
    return member


def _member_start(path: epath.Path, member: zipfile.ZipInfo) -> int:
    """Offset in the file of a member's bytes, after the member's header, whose length is in that header."""
    header = read_bytes(path, member.header_offset, 30)
    if header[:4].tobytes() != b"PK\3\4":
        raise NegjaxError(f"{path}: {member.filename[:80]!r} is not where the archive says: download it again")
    name, extra = header[26:30].view("<u2").tolist()
    return member.header_offset + 30 + name + extra


def _read_member(path: epath.Path, member: zipfile.ZipInfo) -> bytes:
    return read_bytes(path, _member_start(path, member), member.file_size).tobytes()


def _load(path: epath.Path, member: zipfile.ZipInfo, tensor: PickledTensor) -> np.ndarray:
    """Reads the part of the storage that the tensor spans, as a contiguous array."""
    dtype = np.dtype(tensor.dtype)
    start = _member_start(path, member) + tensor.offset * dtype.itemsize
    data = read_bytes(path, start, tensor.span * dtype.itemsize)
    steps = [step * dtype.itemsize if side > 1 else 0 for side, step in zip(tensor.shape, tensor.strides)]
    # NumPy checks that the strides stay within the buffer.
    return np.asarray(np.ndarray(tensor.shape, dtype, data.data, 0, steps), order="C")


def _list_tensors(data: bytes, path: epath.Path, key: str) -> tuple[dict[str, PickledTensor], bool, str]:
    """The tensors that data.pkl describes, each within its storage, whether it is OpenAI's, and their entry."""
    try:
        content = read_pickle(data)
        if isinstance(content, PickledModule):
            name_of_entry, values = "", _flatten_modules(content)
        else:
            name_of_entry, values = _find_state_dict(content, path, key)
        openai = all(name in values for name in _OPENAI_SIZES)
        tensors = {
            name: value
            for name, value in values.items()
            if isinstance(value, PickledTensor) and not (openai and name in _OPENAI_SIZES)
        }
        for name, tensor in tensors.items():
            _check_tensor(name, tensor)
    except ForbiddenPickle as error:
        raise NegjaxError(
            f"{path} asks for {error}, which weights do not need: the file was refused and nothing in it was run; "
            "if you trust it, save its state_dict alone with torch.save"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise NegjaxError(f"{path}: its tensors cannot be listed ({reason}): download or save it again") from error
    if not tensors:
        keys = ", ".join(repr(name[:40]) for name in list(values)[:5]) or "nothing"
        entry = next((name for name in values if _holds_tensors(values[name])), "")
        other = f", or read an entry of the file as {path}#{entry}" if entry else ""
        raise NegjaxError(
            f"{path} holds no tensors by name, but {keys}: save the model's state_dict with torch.save{other}"
        )
    return tensors, openai, name_of_entry


def _find_state_dict(content: Any, path: epath.Path, key: str) -> tuple[str, dict[str, Any]]:
    """The entry that holds the state dict ("" for the content itself), and the state dict."""
    if not isinstance(content, dict):
        raise ValueError("it is not a dict of tensors")
    state_dicts = {name: value for name, value in content.items() if _holds_tensors(value)}
    name = key if key in state_dicts else next((name for name in _STATE_DICT_KEYS if name in state_dicts), "")
    if not name:
        return "", content
    others = [other for other in state_dicts if len(state_dicts[other]) * 2 >= len(state_dicts[name]) and other != name]
    if others and name != key:
        logger.warning(
            "%s: the weights are those of its %r; it also holds %s: give %s#%s to read these",
            *(path, name, ", ".join(others), path, others[0]),
        )
    return name, state_dicts[name]


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(inner, PickledTensor) for inner in value.values())


def _flatten_modules(root: PickledModule) -> dict[str, Any]:
    """The values in the modules of a TorchScript archive, by dotted name."""
    values: dict[str, Any] = {}
    modules, visited = [("", root)], 0
    for prefix, module in modules:  # grows during the loop
        for name, value in module.attributes.items():
            visited += 1
            full_name = prefix + name
            if len(full_name) > _MAX_NAME_LENGTH or visited > _MAX_ATTRIBUTES:
                raise ValueError("its modules are too many or in a circle")
            if full_name in values:
                raise ValueError(f"the name {full_name[:80]!r} occurs twice")
            if isinstance(value, PickledModule):
                modules.append((f"{full_name}.", value))
            else:
                values[full_name] = value
    return values


def _check_tensor(name: str, tensor: PickledTensor) -> None:
    """Raises ValueError if a tensor is malformed or reaches outside its storage."""
    storage, offset, shape, strides = tensor.storage, tensor.offset, tensor.shape, tensor.strides
    if tensor.dtype not in READABLE_TYPES:
        raise ValueError(f"the tensor {name[:80]!r} is of type {tensor.dtype}: save it in float16 or bfloat16")
    capacity = storage.count * np.dtype(storage.dtype).itemsize // np.dtype(tensor.dtype).itemsize
    strides_valid = isinstance(strides, tuple) and all(type(step) is int and step >= 0 for step in strides)
    shape_valid = isinstance(shape, tuple) and is_shape(shape, capacity)
    if not (strides_valid and shape_valid and len(strides) == len(shape)):
        raise ValueError(f"the tensor {name[:80]!r} has no valid shape and strides")
    if type(offset) is not int or offset < 0 or (tensor.span and offset + tensor.span > capacity):
        raise ValueError(f"the tensor {name[:80]!r} reaches outside of its storage")
