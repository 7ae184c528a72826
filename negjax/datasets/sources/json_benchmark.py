"""Benchmarks that are published as one JSON file: what such a benchmark's own file, like `sugarcrepe`, consists of.

A file holds a list of items, an object whose values are items, an object with a list of items under one of its keys, or
one item a line (.jsonl). A benchmark is recognised by the keys of its items. A new one is a file with a `JsonBenchmark`
and a line in `table`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from negjax.datasets.sources.boxes import BoxXYWH, check_box
from negjax.datasets.sources.rows import Row

Item = Mapping[str, Any]


@dataclass(frozen=True)
class ItemReader:
    """How the items of a file are read.

    Attributes:
        task_kind: Task kind of the set; "" for "binary_mcq" or "mcq" by the number of options.
        fields: Fields of the set, keys of `records.COLUMNS`.
        read_item: Makes the rows of an item from the item and its index; `json_files` fills in each record's `id`.
            Raises ValueError that says what is wrong with the item, or KeyError.
        crops: Whether rows are about boxes of images.
    """

    task_kind: str
    fields: tuple[str, ...]
    read_item: Callable[[Item, int], list[Row]]
    crops: bool = False


@dataclass(frozen=True)
class JsonBenchmark:
    """A benchmark.

    Attributes:
        title: Its name, for messages and help.
        keys: Keys that each item has; no other benchmark's items have all of them.
        choose_reader: Decides from all items of a file how they are read.
        kind: The `--kind` it is given as.
        split_key: Key whose values name the splits of a file, of which `--split` chooses one; "" for one split.
    """

    title: str
    keys: frozenset[str]
    choose_reader: Callable[[Sequence[Item]], ItemReader]
    kind: str = "pairs"
    split_key: str = ""


def read_text(item: Item, key: str) -> str:
    """The text under a key; raises ValueError if it is something else."""
    if not isinstance(text := item[key], str):
        raise ValueError(f"{key} is not a text: {str(text)[:60]}")
    return text


def read_path(item: Item, key: str) -> str:
    """The path of an image under a key; raises ValueError if there is none."""
    path = read_text(item, key).strip()
    if not path:
        raise ValueError(f"{key} is empty")
    return path


def read_box(value: Any, key: str) -> BoxXYWH:
    """A list of x, y, width and height as a box; raises ValueError that names its key if it is none."""
    four = isinstance(value, list) and len(value) == 4
    if not four or not all(isinstance(side, int | float) and not isinstance(side, bool) for side in value):
        raise ValueError(f"{key} is not four numbers, x, y, width, height: {str(value)[:60]}")
    return check_box(BoxXYWH(*value))
