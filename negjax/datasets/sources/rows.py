"""The interface of the sources of data sets, for any file format: rows in shards, and access to their media.

A source is read from its start to its end by the build of an evaluation set, and shard by shard, in several processes,
by the build of a training set.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple, NoReturn, Protocol

from negjax.datasets.records import Record
from negjax.datasets.sources.boxes import BoxXYWH
from negjax.errors import NegjaxError
from negjax.runtime.regular import read_regular

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")

# Reasons for skipping a row, keys of "skipped" in the set's metadata.
MISSING = "missing"  # its image or clip does not exist
BROKEN = "broken"  # its image or clip cannot be decoded
INVALID = "invalid"  # its text is malformed, or its benchmark does not count it
NO_QUESTION = "unasked"  # the file of questions has none for its image
AMBIGUOUS_QUESTION = "unsure"  # the file of questions has one that may be for another image of the same name

SkipRow = Callable[[str, int, str], object]
"""Called with a reason (a constant of this module), the row's index and an explanation, when a row is skipped."""


class RowRef(NamedTuple):
    """A row as messages and metadata name it: its index in the source, and the path of its image or clip."""

    row: int
    path: str


class MediaFile(Protocol):
    """An image or clip that can be read, such as a `pathlib.Path`; `str` of it names it in errors."""

    def read_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Row:
    """A record without its media.

    Attributes:
        index: 0-based row of the source that the record comes from.
        path: Path of the image or clip, as the source spells it.
        record: The record's other columns; see `negjax.datasets.records`.
        box: The part of the image that the record refers to; None for all of it.
        valid: False for a row that its benchmark does not count.
        media: The image or clip, where the source contains it; otherwise it is found by `path`.
    """

    index: int
    path: str
    record: Record
    box: BoxXYWH | None = None
    valid: bool = True
    media: MediaFile | None = None

    @property
    def ref(self) -> RowRef:
        """The row as messages name it."""
        return RowRef(self.index, self.path)


class SourceShard(Protocol):
    """Consecutive rows of a source. It can be pickled, so that another process reads it."""

    @property
    def rows(self) -> int:
        """The number of rows of the source that it covers, including those that `read` skips."""

    def read(self, skip: SkipRow) -> Iterator[Row]:
        """Reads the rows in order, from the first one at each call.

        Args:
            skip: Called for each malformed row, which is not yielded; `refuse_row` makes it an error instead.
        """


@dataclass(frozen=True)
class RowSource:
    """The source of a data set.

    Attributes:
        kind: Value of `--kind` of `negjax data build`.
        name: Name of the source in errors: a path or a pattern.
        file: File name, for the set's metadata.
        sha256: Content hash, for the set's metadata. For a folder or tar files it hashes the list of their files, for a
            TFDS data set its dataset_info.json.
        media_root: Folder of the images, for the set's metadata.
        fields: Fields of the set, keys of `records.COLUMNS`.
        shards: The rows, in the source's order.
        task_kind: Task kind of an evaluation set; "" where the number of options determines it, "train" for a source
            that only training sets are built from.
        negated: Whether the texts negate; None to decide it by their words.
        find_media: Finds the image or clip of a row without `Row.media` by its path; can be pickled.
        questions_file: File with one question per image, joined when a training set is built; "" for none.
        benchmark: The benchmark that the file is of, which no training set is made of; "" for none.
        metadata: Further metadata of the set.
        notes: Remarks for the user.
    """

    kind: str
    name: str
    file: str
    sha256: str
    media_root: str
    fields: tuple[str, ...]
    shards: tuple[SourceShard, ...]
    task_kind: str = ""
    negated: bool | None = None
    find_media: Callable[[str], MediaFile | None] | None = None
    questions_file: str = ""
    benchmark: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(shard.rows for shard in self.shards)

    def read(self, skip: SkipRow) -> Iterator[Row]:
        """Reads all shards in order; see `SourceShard.read`."""
        for shard in self.shards:
            yield from shard.read(skip)

    def describe(self) -> dict[str, Any]:
        """The `source` entry of the set's metadata."""
        return {
            "kind": self.kind,
            "file": self.file,
            "sha256": self.sha256,
            "rows": self.rows,
            "media_root": self.media_root,
        }


def refuse_row(reason: str, index: int, explanation: str) -> NoReturn:
    """A `SkipRow` that raises NegjaxError: no row may be skipped."""
    raise NegjaxError(explanation)


def locate_media(row: Row, find_media: Callable[[str], MediaFile | None] | None) -> MediaFile | None:
    """The image or clip of a row, from the row or by `find_media`; None if it does not exist."""
    if row.media is not None or find_media is None:
        return row.media
    return find_media(row.path)


def read_media(media: MediaFile) -> bytes:
    """The bytes of an image or clip; raises NegjaxError for a pipe, a device or a file of more than MAX_FILE_BYTES."""
    return read_regular(media) if isinstance(media, os.PathLike) else media.read_bytes()


def is_video(path: str) -> bool:
    """Whether the path of an image or clip has the suffix of a clip."""
    return PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES


def is_gif(path: str) -> bool:
    """Whether a path is that of a GIF, which may be an image or a clip."""
    return PurePosixPath(path).suffix.lower() == ".gif"


def check_option_counts(name: str, first_rows: Mapping[int, RowRef]) -> None:
    """Checks that all questions of a source have the same number of options.

    Args:
        name: Name of the source in the error.
        first_rows: Number of options -> the first row with that number.

    Raises:
        NegjaxError: Questions differ in their number of options.
    """
    if len(first_rows) > 1:
        (count, first), (other_count, other), *_ = first_rows.items()
        raise NegjaxError(
            f"{name}: row {first.row} ({first.path}) has {count} options and row {other.row} ({other.path}) has "
            f"{other_count}: all questions of a set must have the same number, so build a set for each"
        )


def question_with_correct_first(options: list[str]) -> Record:
    """The columns of a question whose first option is the right one."""
    return {"options": options, "answer": 0, "kind": ""}
