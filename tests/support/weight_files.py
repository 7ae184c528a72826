"""Valid and malformed weight files, made byte by byte without PyTorch."""

import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np

from negjax.weights.tensors import TensorFile

FLOATS = np.arange(1, 9, dtype=np.float32)


def plain(value) -> bytes:
    """The opcodes of a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key="0", count=8, offset=0, shape=(8,), strides=(1,), storage="torch\nFloatStorage") -> bytes:
    """The opcodes of a tensor, as torch.save writes them."""
    kind = f"c{storage}\n".encode()
    persistent = b"(" + plain("storage") + kind + plain(key) + plain("cpu") + plain(count) + b"tQ"
    view = plain(offset) + plain(shape) + plain(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + view + b"\x89ccollections\nOrderedDict\n)RtR"


def items(**entries: bytes) -> bytes:
    """The opcodes of a dict."""
    return b"}(" + b"".join(plain(name) + opcodes for name, opcodes in entries.items()) + b"u"


def module(**attributes: bytes) -> bytes:
    """The opcodes of a TorchScript object."""
    return b"c__torch__.some\nClass\n)\x81" + items(**attributes) + b"b"


def archive(path: Path, opcodes: bytes, members: dict[str, bytes] | None = None, **packed: int) -> Path:
    """A file as torch.save makes it, with 1..8 as its storage 0. packed: how a member is compressed."""
    content = {"data.pkl": b"\x80\x02" + opcodes + b".", "data/0": FLOATS.tobytes(), **(members or {})}
    with zipfile.ZipFile(path, "w") as out:
        for name, data in content.items():
            out.writestr(f"archive/{name}", data, packed.get(name.split(".")[0], zipfile.ZIP_STORED))
    return path


def safetensors(path: Path, header: dict | str | bytes, data: bytes = b"") -> Path:
    text = header if isinstance(header, str | bytes) else json.dumps(header)
    text = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(shape, begin, end, dtype="F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def values(opened: TensorFile) -> dict[str, np.ndarray]:
    """All tensors, checked against the types and shapes of their entries."""
    loaded = {name: stored.load() for name, stored in opened.tensors.items()}
    for name, stored in opened.tensors.items():
        assert loaded[name].shape == stored.shape
        assert loaded[name].dtype == np.dtype(stored.dtype)
        assert loaded[name].dtype.name == stored.dtype
        assert loaded[name].flags.c_contiguous
    return loaded


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A safetensors file of arrays."""
    header, data = {}, b""
    for name, array in arrays.items():
        header[name] = entry(array.shape, len(data), len(data) + array.nbytes)
        data += np.ascontiguousarray(array, np.float32).tobytes()
    return safetensors(path, header, data)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file in float32."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    arrays = {}
    for name, found in header.items():
        begin, end = found["data_offsets"]
        arrays[name] = np.frombuffer(raw[start + begin : start + end], np.float32).reshape(found["shape"])
    return arrays
