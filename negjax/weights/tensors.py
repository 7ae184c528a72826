"""The tensors of weight files by name, read on demand: safetensors, also in shards, and PyTorch's archives."""

from dataclasses import dataclass, replace

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular
from negjax.weights.lazy_tensor import MAX_INDEX_BYTES, LazyTensor, read_bytes
from negjax.weights.prefixes import keep_prefix
from negjax.weights.safetensors import open_safetensors, parse_json_object
from negjax.weights.torch_archive import read_archive

# Of DistributedDataParallel and torch.compile, in either order.
_WRAPPER_PREFIXES = ("module.", "_orig_mod.", "module.")

_FOREIGN_BEGINNINGS = {
    b"\x93NUMPY": "an array of NumPy",
    b"\x89HDF\r\n": "a file of HDF5, as Keras writes it",
    b"GGUF": "a file of GGUF",
}


@dataclass(frozen=True)
class TensorFile:
    """The content of a weights file.

    Attributes:
        tensors: Its tensors by name.
        metadata: Safetensors' own __metadata__, else empty.
        openai: Whether the file is as OpenAI published CLIP, with input_resolution, context_length and vocab_size,
            which are not in `tensors`.
        files: The file, and those that its index names.
        entry: The entry of a checkpoint in which the tensors are, "" where they are its whole content.
    """

    tensors: dict[str, LazyTensor]
    metadata: dict[str, str]
    openai: bool
    files: tuple[epath.Path, ...]
    entry: str = ""


def open_tensors(path: epath.PathLike, part: str = "") -> TensorFile:
    """Opens a weights file: safetensors, an archive of PyTorch 1.6 or newer, or the index of shards of these.

    The content decides, not the file's name. Of a training checkpoint only the state dict is read, and a `module.` or
    `_orig_mod.` that all names start with is removed. Nothing in the file is executed.

    Args:
        path: The file.
        part: The part of it that is read: an entry of a checkpoint ("state_dict_ema"), or what precedes the tensors'
            names ("teacher.").

    Raises:
        NegjaxError: If the file is none of these, is damaged, asks for anything but tensors, or has no such part.
    """
    file = epath.Path(path)
    first_bytes = _read_first_bytes(file)
    # A safetensors file may start with "{", too, but its first 8 bytes are a length and have zeros.
    is_json = first_bytes.lstrip().startswith(b"{") and b"\0" not in first_bytes[:8]
    opened = _open_index(file) if is_json else _open_single(file, first_bytes, part)
    tensors = opened.tensors
    for prefix in _WRAPPER_PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    if part and part != opened.entry:
        prefix = f"{part.removesuffix('.')}."
        if not any(name.startswith(prefix) for name in tensors):
            raise NegjaxError(
                f"{path} has no entry {part!r} with tensors, and no tensors whose names start with {prefix}"
            )
        tensors = keep_prefix(tensors, prefix, str(path))
    return replace(opened, tensors=tensors)


def _read_first_bytes(path: epath.Path) -> bytes:
    if path.is_dir():
        raise NegjaxError(f"{path} is a folder: give the weights file in it")
    if path.exists():
        check_regular(path)
    try:
        with path.open("rb") as file:
            return file.read(64)
    except FileNotFoundError as error:
        raise NegjaxError(f"{path} not found: give a weights file") from error
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error


def _open_single(path: epath.Path, first_bytes: bytes, key: str = "") -> TensorFile:
    """A file that is not an index, opened according to its first bytes. key: see `read_archive`."""
    if first_bytes.startswith(b"PK\3\4"):
        tensors, openai, name_of_entry = read_archive(path, key)
        return TensorFile(tensors, {}, openai, (path,), name_of_entry)
    if first_bytes[7:9] == b"\0{":
        tensors, metadata = open_safetensors(path)
        return TensorFile(tensors, metadata, False, (path,))
    if not first_bytes:
        raise NegjaxError(f"{path} is empty: download or copy it again")
    for beginning, name in _FOREIGN_BEGINNINGS.items():
        if first_bytes.startswith(beginning):
            raise NegjaxError(f"{path} is {name}, not PyTorch's: give safetensors or a file of torch.save")
    if first_bytes.startswith(b"version https://git-lfs"):
        raise NegjaxError(f"{path} is a Git LFS pointer, not the weights: fetch them with `git lfs pull` in its folder")
    if first_bytes.startswith(b"\x80"):
        raise NegjaxError(
            f"{path} was saved by PyTorch before 1.6 or is another pickle: "
            "load it with torch.load(weights_only=True) and torch.save it again with a current PyTorch"
        )
    if first_bytes.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise NegjaxError(f"{path} is a web page, not weights: download the file itself")
    raise NegjaxError(f"{path} is neither a safetensors file nor one that PyTorch saved: give a weights file")


def _open_index(path: epath.Path) -> TensorFile:
    """The shards beside an index whose `weight_map` says which one holds each tensor."""
    index = parse_json_object(path, read_bytes(path, 0, min(path.stat().length, MAX_INDEX_BYTES)).tobytes())
    shard_of = index.get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise NegjaxError(f"{path} is JSON without a weight_map: give a weights file or a safetensors index")
    shards = {}
    for name in shard_of.values():
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name:
            raise NegjaxError(f"{path} names {str(name)[:80]!r}, which is not a file beside it: the index was refused")
        if name not in shards:
            shard = path.parent / name
            if not shard.exists():
                raise NegjaxError(f"{path} needs {shard}, which is missing: download all shards into one folder")
            shards[name] = _open_single(shard, _read_first_bytes(shard))
    for tensor, name in shard_of.items():
        if tensor not in shards[name].tensors:
            raise NegjaxError(f"{path}: the tensor {tensor[:80]!r} is not in {name}: download the shards again")
    return TensorFile(
        tensors={tensor: shards[name].tensors[tensor] for tensor, name in shard_of.items()},
        metadata={key: text for shard in shards.values() for key, text in shard.metadata.items()},
        openai=False,
        files=(path, *(shard.files[0] for shard in shards.values())),
    )
