"""Lists the settings of an experiment: name, type, value, and meaning from the docstrings of `negjax.config`."""

import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

WIDTH = 100  # columns
INDENT = " " * 4


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a config.

    Attributes:
        name: its name on the command line, without the dashes: "config.optim.ema".
        type_name: its type, for people.
        value: its value in this config.
        meaning: what it does.
    """

    name: str
    type_name: str
    value: Any
    meaning: str


def settings_of(group: Any, prefix: str = "config") -> Iterator[Setting]:
    """The settings of a group, and those of the groups in it.

    Args:
        group: a dataclass of `negjax.config`, such as an Experiment.
        prefix: its name.
    """
    hints, meanings = typing.get_type_hints(type(group)), meanings_of(type(group))
    for field in dataclasses.fields(group):
        name, value = f"{prefix}.{field.name}", getattr(group, field.name)
        if dataclasses.is_dataclass(value):
            yield from settings_of(value, name)
        elif isinstance(value, dict):
            for key, entry in value.items():
                yield from settings_of(entry, f"{name}.{key}")
        else:
            yield Setting(name, type_text(hints[field.name]), value, meanings[field.name])


def meanings_of(cls: type) -> dict[str, str]:
    """Field of a dataclass -> its meaning: from the metadata of the field, else from "Attributes:" in the docstring."""
    documented: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        documented |= _attributes(base)
    fields = dataclasses.fields(typing.cast(Any, cls))
    return {field.name: _meaning(field, documented) for field in fields}


def type_text(hint: Any) -> str:
    """A type for people: "float", "float or None", "cosine | linear", "list of str", "list of 2 x float"."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return " or ".join("None" if arg is type(None) else type_text(arg) for arg in args)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin is tuple:
        if args[-1] is Ellipsis:
            return f"list of {type_text(args[0])}"
        if len(set(args)) == 1:
            return f"list of {len(args)} x {type_text(args[0])}"
        return f"({', '.join(map(type_text, args))})"
    return hint.__name__


def format_settings(group: Any) -> str:
    """All settings of a group, each with its meaning below it, in lines of at most WIDTH columns."""
    blocks = []
    for setting in settings_of(group):
        title = f"{setting.name} = {setting.value!r}  ({setting.type_name})"
        lines = [textwrap.fill(title, WIDTH, subsequent_indent=INDENT * 2)]
        lines.append(textwrap.fill(setting.meaning, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
        blocks.append("\n".join(lines))
    return "\n".join(blocks) + "\n"


def _meaning(field: dataclasses.Field, documented: dict[str, str]) -> str:
    """The meaning of a field; metadata may hold a function that returns it, to delay imports."""
    meaning = field.metadata.get("meaning", documented.get(field.name, ""))
    return meaning() if callable(meaning) else meaning


def _attributes(cls: type) -> dict[str, str]:
    """The section "Attributes:" of a class's own docstring, by name."""
    section = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\nAttributes:\n")[2]
    section = re.split(r"\n(?=\S)", section)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
