"""What every source gives, whatever its form: rows, and the places where their media are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

from negjax.datasets.records import Record
from negjax.datasets.sources.crops import Box
from negjax.errors import NegjaxError

VIDEOS = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")

RowFile = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """A record without its media: the row of the source that it comes from, and where its media are said to be.

    box: only this part of the image is the record's. valid: False for a row that its benchmark leaves out.
    """

    number: int
    file: str
    record: Record
    box: Box | None = None
    valid: bool = True


class MediaFile(Protocol):
    """Where an image or clip is, as a path is; its text names it in errors."""

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class RowSource:
    """What a set is built from.

    kind: as in --kind. name: what errors call it. file, sha256, media_root: what the set's metadata say of it; the
    sha256 of a folder is that of the list of its files, of a TFDS data set that of its dataset_info.json.
    fields: keys of records.COLUMNS. task_kind: "" where the number of options tells it. negated: None where the texts
    tell it. read: its rows, from the start at each call. find: where a row's file is, None when nowhere.
    metadata: further metadata of the set. notes: for people.
    """

    kind: str
    name: str
    file: str
    sha256: str
    media_root: str
    fields: tuple[str, ...]
    task_kind: str
    negated: bool | None
    read: Callable[[], Iterator[Row]]
    find: Callable[[str], MediaFile | None]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def is_video(file: str) -> bool:
    """By the file's suffix."""
    return PurePosixPath(file).suffix.lower() in VIDEOS


def check_one_form(name: str, first: Mapping[int, RowFile]) -> None:
    """Raises NegjaxError unless a source's questions have as many options; first: a row with each number of them."""
    if len(first) > 1:
        (options, (row, file)), (others, (other, other_file)), *_ = first.items()
        raise NegjaxError(
            f"{name}: row {row} ({file}) has {options} options and row {other} ({other_file}) has {others}: "
            "the questions of a set have as many, make a set of each"
        )


def right_first(options: list[str]) -> Record:
    """The columns of a question whose first option is the right one."""
    return {"options": options, "answer": 0, "kind": ""}
