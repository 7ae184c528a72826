"""Every value of a JSON document changed to values of other kinds and sizes, one at a time."""

import copy
from collections.abc import Iterator
from typing import Any

REPLACEMENTS = ("x", "", float("nan"), float("inf"), -1, 0, 0.5, 10**9, None, True, [], [[1]], {}, {"a": {"b": [1]}})
MAX_LIST_ITEMS = 3  # of a list as long as a vocabulary the first few stand for all

Path = tuple[str | int, ...]


def value_paths(document: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all values in a document, containers included, but of a long list only the first few."""
    if isinstance(document, dict):
        items: list[tuple[str | int, Any]] = list(document.items())
    else:
        items = list(enumerate(document)) if isinstance(document, list) else []
    if isinstance(document, list) or len(items) > 40:  # a vocabulary
        items = items[:MAX_LIST_ITEMS]
    for key, value in items:
        yield (*path, key)
        yield from value_paths(value, (*path, key))


def changes(document: Any) -> Iterator[tuple[Path, Any]]:
    """(path, new value) of every change."""
    for path in value_paths(document):
        for value in REPLACEMENTS:
            yield path, value


def with_change(document: Any, path: Path, value: Any) -> Any:
    """A copy of a document with the value at a path replaced."""
    document = copy.deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document
