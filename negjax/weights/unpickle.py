"""The tensors that a PyTorch pickle tells of, found without running anything that it asks for.

`pickle.Unpickler` is not used: it calls what a file names, and however few names are allowed, a file of some bytes can
make it take gigabytes or crash Python. Here the standard library only cuts the pickle into opcodes. The few that
weights need build plain data, and a call in the file is looked up in `_call`, never made.
"""

import pickletools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from negjax.weights.stored import READABLE

_FLOAT8 = {"float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"}
_DTYPES = {f"torch.{name}": name for name in READABLE | _FLOAT8}
_STORAGES = {
    "torch.storage.UntypedStorage": "uint8",  # its tensors then say their own type
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
_CALLS = {
    *("collections.OrderedDict", "torch._tensor._rebuild_from_type_v2", "torch.jit._pickle.restore_type_tag"),
    *(f"torch._utils._rebuild_{kind}" for kind in ("tensor", "tensor_v2", "tensor_v3")),
    *(f"torch._utils._rebuild_{kind}" for kind in ("parameter", "parameter_with_state")),
}
_BUILTINS = ("set", "frozenset", "list", "dict", "int", "float", "complex", "bytes", "bytearray")
# What training scripts and TorchScript save beside the weights: allowed, because nothing is made of it.
_SKIPPED = {
    *("torch.Size", "torch.device", "torch.PickledTensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"),
    *(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "bool", "double", "tensor")),
    *("collections.Counter", "collections.defaultdict", "argparse.Namespace", "_codecs.encode"),
    *("pathlib.PosixPath", "numpy.dtype", "numpy.ndarray"),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _BUILTINS),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
}
_ALLOWED = _DTYPES.keys() | _STORAGES.keys() | _CALLS | _SKIPPED


@dataclass(frozen=True)
class Storage:
    """Numbers in the archive: their type, the name of their member below data/, and how many there are."""

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
class _Global:
    """A function or class that the file names."""

    name: str


@dataclass(frozen=True)
class Module:
    """An object of a TorchScript archive."""

    attributes: dict[str, Any]


class Skipped:
    """Something that holds no weights by name."""


class Forbidden(Exception):
    """What a file asks for and is not given."""


def read_pickle(data: bytes) -> Any:
    """What a pickle describes: its dicts (entries whose key is no name left out), tuples, Tensors and Modules.

    Lists, sets and all else that holds no weights are Skipped. Raises Forbidden for what could run and for what
    weights do not need; ValueError, LookupError or TypeError for what is malformed.
    """
    stack: list[Any] = []
    outer: list[list[Any]] = []  # the stack below each mark
    memo: dict[int, Any] = {}
    operations: Iterable[tuple[pickletools.OpcodeInfo, Any, Any]] = pickletools.genops(data)
    for opcode, value, _ in operations:
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "NONE":
                stack.append(value)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINBYTES" | "SHORT_BINBYTES":
                stack.append(value)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST" | "EMPTY_SET":
                stack.append(Skipped())
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(_pop(stack, int(opcode.name[-1])))
            case "MARK":
                outer.append(stack)
                stack = []
            case "TUPLE":
                items, stack = tuple(stack), outer.pop()
                stack.append(items)
            case "APPENDS" | "ADDITEMS":
                stack = outer.pop()
            case "APPEND":
                stack.pop()
            case "SETITEMS":
                items, stack = tuple(stack), outer.pop()
                _put(stack[-1], zip(items[::2], items[1::2], strict=True))
            case "SETITEM":
                item = _pop(stack, 2)
                _put(stack[-1], [item])
            case "BINPUT" | "LONG_BINPUT":
                memo[value] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[value])
            case "GLOBAL":
                stack.append(_global(*value.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(_global(*_pop(stack, 2)))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                stack.append(_call(*_pop(stack, 2)))
            case "BUILD":
                state = stack.pop()
                _build(stack[-1], state)
            case "STOP":
                return stack.pop()
            case other:
                raise Forbidden(f"the pickle opcode {other} ({str(value)[:80]!r})")
    raise AssertionError("genops ends with STOP or raises ValueError")


def _pop(stack: list[Any], count: int) -> tuple[Any, ...]:
    if len(stack) < count:
        raise ValueError("its stack is empty")
    items = tuple(stack[-count:])
    del stack[-count:]
    return items


def _put(target: Any, items: Iterable[tuple[Any, Any]]) -> None:
    """Puts items into a dict by their keys; those whose key is no name are dropped."""
    if isinstance(target, Skipped):
        return
    if not isinstance(target, dict):
        raise TypeError("items are put into what is no dict")
    for key, value in items:
        if isinstance(key, str):
            if key in target:
                raise ValueError(f"the name {key[:80]!r} is there twice")
            target[key] = value


def _build(target: Any, state: Any) -> None:
    """Gives a TorchScript object its attributes; the state of other things (a state dict's versions) is dropped."""
    if isinstance(target, Module) and isinstance(state, dict):
        _put(target.attributes, state.items())
    elif not isinstance(target, dict | Skipped):
        raise TypeError("a state is given to what has none")


def _global(module: Any, name: Any) -> _Global:
    if not (isinstance(module, str) and isinstance(name, str)):
        raise TypeError("a function is named by what is no name")
    full = f"{module}.{name}"
    if full not in _ALLOWED and not full.startswith("__torch__."):
        raise Forbidden(repr(full[:80]))
    return _Global(full)


def _storage(described: Any) -> Storage:
    match described:
        case ("storage", _Global(kind), str(key), str(), int(count)) if kind in _STORAGES and count >= 0:
            if not (key.isascii() and key.isdigit()):
                raise ValueError(f"the storage {key[:80]!r} is no number")
            return Storage(_STORAGES[kind], key, count)
    raise ValueError("a storage is described as PyTorch does not")


def _call(function: Any, arguments: Any) -> Any:
    """What the result of a call in the file stands for; nothing is called."""
    match function, arguments:
        case _Global("collections.OrderedDict"), ():
            return {}
        case _Global(name), () if name.startswith("__torch__."):
            return Module({})
        case (
            _Global("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2"),
            (Storage() as storage, offset, shape, strides, *rest),
        ) if not any(rest[2:]):
            return PickledTensor(storage, offset, shape, strides, storage.dtype)
        case (
            _Global("torch._utils._rebuild_tensor_v3"),
            (Storage() as storage, offset, shape, strides, _, _, _Global(dtype), *rest),
        ) if dtype in _DTYPES and not any(rest):
            return PickledTensor(storage, offset, shape, strides, _DTYPES[dtype])
        case (
            _Global("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"),
            (PickledTensor() as tensor, *_),
        ):
            return tensor
        case _Global("torch._tensor._rebuild_from_type_v2"), (_Global(name) as inner, _, inner_arguments, _) if (
            name.startswith("torch._utils.")
        ):
            return _call(inner, inner_arguments)
        case _Global("torch.jit._pickle.restore_type_tag"), (value, _):
            return value
        case _Global(name), tuple() if name in _SKIPPED:
            return Skipped()
    called = function.name[:80] if isinstance(function, _Global) else "what is no function"
    raise ValueError(f"{called} is called as PyTorch never does")
