"""Reads config files into the dataclasses of `negjax.config`.

A config file is a Python file with `get_config(arg=None) -> ml_collections.ConfigDict`. Its keys are the fields of the
dataclass; an unknown key or a value of another type is an error that names the key. It may import the files beside it.
"""

import ast
import dataclasses
import difflib
import inspect
import re
import runpy
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from ml_collections import ConfigDict

from negjax.errors import NegjaxError
from negjax.runtime.paths import to_local_path

T = TypeVar("T")


def build(cls: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Makes a dataclass from nested mappings and checks every key and type.

    Args:
        cls: the dataclass.
        values: field -> value, which is a mapping for a field that is a dataclass.
        where: name of the group in error messages.

    Raises:
        NegjaxError: an unknown or missing key, or a value of another type.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(fields)}"
            raise NegjaxError(f"unknown setting {where}.{key}; {hint}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise NegjaxError(f"{where}.{name} is missing")
    return cls(**{key: _check_value(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def _check_value(kind: Any, value: Any, where: str) -> Any:
    """The value as the type `kind`, converted where nothing is lost (int to float, list to tuple)."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # of a type and None, for what may be left out
        return None if value is None else _check_value(args[0], value, where)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise NegjaxError(f"{where} is {value!r}: it must be a group of settings")
        return build(typing.cast(type, kind), value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise NegjaxError(f"{where} is {value!r}: it must be a group of named entries")
        return {str(key): _check_value(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise NegjaxError(f"{where} is {value!r}: it must be a list")
        kinds = args if args[-1] is not Ellipsis else args[:1] * len(value)
        if len(kinds) != len(value):
            raise NegjaxError(f"{where} is {value!r}: it must have {len(kinds)} entries")
        return tuple(_check_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value)))
    if origin is Literal:
        if value not in args:
            raise NegjaxError(f"{where} is {value!r}: it must be {' or '.join(map(str, args))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise NegjaxError(f"{where} is {value!r}: it must be of type {kind.__name__}")
    return value


def load_config(cls: type[T], file: str, overrides: Sequence[str] = ()) -> T:
    """Reads the `Experiment` or `Suite` that a config file describes.

    Args:
        cls: Experiment or Suite.
        file: "FILE.py" or "FILE.py:arg"; the latter passes `arg` to get_config.
        overrides: "--config.a.b=value" for any setting, whether the file sets it or not. A list is written "a,b", a
            list of lists as in Python, "[('a', 1), ('b', 2)]".

    Raises:
        NegjaxError: the file does not exist or cannot be run, or a setting is unknown, missing or of another type.
    """
    name, _, arg = file.partition(":")
    if arg.startswith("//"):
        to_local_path(file, "config file")
    path = Path(name)
    if not path.is_file():
        raise NegjaxError(f"config file {path} not found")
    try:
        with _importable(path.resolve().parent):
            get_config = runpy.run_path(name)["get_config"]
            takes_argument = not arg or inspect.signature(get_config).parameters
            config = get_config(*[arg] if arg and takes_argument else [])
    except Exception as error:  # the file is a program, which may raise anything
        reason = " ".join(str(error).split())
        if arg and isinstance(error, ValueError):  # raised by the file for an argument that it does not know
            raise NegjaxError(f"{file}: {reason}") from error
        raise NegjaxError(f"{file}: the config file cannot be run ({type(error).__name__}: {reason})") from error
    if not takes_argument:
        raise NegjaxError(f"{file}: this config takes no argument: leave out :{arg}")
    if not isinstance(config, ConfigDict):
        raise NegjaxError(f"{path}: get_config() must return an ml_collections.ConfigDict")
    values = config.to_dict()
    for override in overrides:
        _apply_override(cls, values, override)
    return build(cls, values)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """A context in which the files of a folder can be imported; afterwards no one takes them for others of the name."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).parent == folder:
                del sys.modules[name]


def _apply_override(cls: Any, values: dict[str, Any], override: str) -> None:
    """Sets the value of "--config.a.b=value" in the nested values; `build` checks that the setting exists."""
    match = re.fullmatch(r"--config\.([^=]+)=(.*)", override, re.DOTALL)
    if not match:
        raise NegjaxError(f"{override}: a setting is changed by --config.NAME=VALUE")
    *groups, last = match[1].split(".")
    kind = cls
    for key in groups:
        kind = _type_of(kind, key)
        if not isinstance(values.setdefault(key, {}), dict):
            raise NegjaxError(f"{override}: {key} is not a group of settings")
        values = values[key]
    values[last] = _parse(_type_of(kind, last), match[2])


def _type_of(kind: Any, key: str) -> Any:
    """The type of a group's setting; str where there is no such setting."""
    if typing.get_origin(kind) is dict:
        return typing.get_args(kind)[1]
    return typing.get_type_hints(kind).get(key, str) if dataclasses.is_dataclass(kind) else str


def _parse(kind: Any, text: str) -> Any:
    """A text as a value of the type; the text itself if it is not one."""
    if typing.get_origin(kind) is types.UnionType:
        kind = typing.get_args(kind)[0]
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        if kind in (int, float):
            return kind(text)
        if typing.get_origin(kind) is tuple:
            if text[:1] in ("(", "["):
                return ast.literal_eval(text)
            return [_parse(typing.get_args(kind)[0], part) for part in text.split(",") if part]  # all of one type
    except (ValueError, SyntaxError):
        pass
    return text
