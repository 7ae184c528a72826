"""Interprets the calls in a PyTorch pickle as tensors, modules, or objects without weights. Nothing is called."""

from dataclasses import dataclass
from typing import Any

from negjax.weights.lazy_tensor import READABLE_TYPES

_FLOAT8_TYPES = {"float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"}
_TYPE_OF_TORCH_DTYPE = {f"torch.{name}": name for name in READABLE_TYPES | _FLOAT8_TYPES}
_TYPE_OF_STORAGE_CLASS = {
    "torch.storage.UntypedStorage": "uint8",  # its tensors state their own type
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
}
_INTERPRETED_CALLS = {
    *("collections.OrderedDict", "torch._tensor._rebuild_from_type_v2", "torch.jit._pickle.restore_type_tag"),
    *(f"torch._utils._rebuild_{suffix}" for suffix in ("tensor", "tensor_v2", "tensor_v3")),
    *(f"torch._utils._rebuild_{suffix}" for suffix in ("parameter", "parameter_with_state")),
}
_BUILTINS = ("set", "frozenset", "list", "dict", "int", "float", "complex", "bytes", "bytearray")
# Other objects that training scripts and TorchScript save: allowed, because they are skipped.
_SKIPPED_CALLS = {
    *("torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"),
    *(f"torch.jit._pickle.build_{element}list" for element in ("int", "bool", "double", "tensor")),
    *("collections.Counter", "collections.defaultdict", "argparse.Namespace", "_codecs.encode"),
    *("pathlib.PosixPath", "numpy.dtype", "numpy.ndarray"),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _BUILTINS),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
}
_ALLOWED_GLOBALS = _TYPE_OF_TORCH_DTYPE.keys() | _TYPE_OF_STORAGE_CLASS.keys() | _INTERPRETED_CALLS | _SKIPPED_CALLS


class ForbiddenPickle(Exception):
    """The file asks for something that could run code, or that weights do not need; the message names it."""


@dataclass(frozen=True)
class Storage:
    """A block of numbers in the archive.

    Attributes:
        dtype: Their type.
        key: The name of their member below data/.
        count: How many there are.
    """

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    """A view of a storage; offset and strides are in elements of the tensor's type."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def span(self) -> int:
        """Elements of the storage from the tensor's first to its last, both included."""
        return 0 if 0 in self.shape else 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides))


@dataclass(frozen=True)
class PickledGlobal:
    """A function or class that the file names."""

    name: str


@dataclass(frozen=True)
class PickledModule:
    """An object of a TorchScript archive."""

    attributes: dict[str, Any]


class Skipped:
    """An object that holds no named weights."""


def read_global(module: Any, name: Any) -> PickledGlobal:
    """A function or class that the file names. Raises ForbiddenPickle for one that weights do not need."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise TypeError("a function's name is not a string")
    full_name = f"{module}.{name}"
    if full_name not in _ALLOWED_GLOBALS and not full_name.startswith("__torch__."):
        raise ForbiddenPickle(repr(full_name[:80]))
    return PickledGlobal(full_name)


def read_storage(persistent_id: Any) -> Storage:
    """The storage that a persistent id describes. Raises ValueError for a malformed one."""
    match persistent_id:
        case ("storage", PickledGlobal(name), str(key), str(), int(count)) if (
            name in _TYPE_OF_STORAGE_CLASS and count >= 0
        ):
            if not (key.isascii() and key.isdigit()):
                raise ValueError(f"the storage {key[:80]!r} is not a number")
            return Storage(_TYPE_OF_STORAGE_CLASS[name], key, count)
    raise ValueError("a storage is not described as PyTorch does")


def interpret_call(function: Any, arguments: Any) -> Any:
    """The object that a call in the file would return; nothing is called. Raises ValueError for an unknown call."""
    match function, arguments:
        case PickledGlobal("collections.OrderedDict"), ():
            return {}
        case PickledGlobal(name), () if name.startswith("__torch__."):
            return PickledModule({})
        case (
            PickledGlobal("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2"),
            (Storage() as storage, offset, shape, strides, *rest),
        ) if not any(rest[2:]):
            return PickledTensor(storage, offset, shape, strides, storage.dtype)
        case (
            PickledGlobal("torch._utils._rebuild_tensor_v3"),
            (Storage() as storage, offset, shape, strides, _, _, PickledGlobal(dtype), *rest),
        ) if dtype in _TYPE_OF_TORCH_DTYPE and not any(rest):
            return PickledTensor(storage, offset, shape, strides, _TYPE_OF_TORCH_DTYPE[dtype])
        case (
            PickledGlobal("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"),
            (PickledTensor() as tensor, *_),
        ):
            return tensor
        case (
            PickledGlobal("torch._tensor._rebuild_from_type_v2"),
            (PickledGlobal(name) as inner, _, inner_arguments, _),
        ) if name.startswith("torch._utils."):
            return interpret_call(inner, inner_arguments)
        case PickledGlobal("torch.jit._pickle.restore_type_tag"), (value, _):
            return value
        case PickledGlobal(name), tuple() if name in _SKIPPED_CALLS:
            return Skipped()
    name = function.name[:80] if isinstance(function, PickledGlobal) else "something that is not a function"
    raise ValueError(f"{name} is called as PyTorch never does")
