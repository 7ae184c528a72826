"""Questions of a second file for the images of a training set, joined by the ends of the paths.

The two files may name another folder before the same end, "/mnt/cc12m/00000/1.jpg" and "/data/00000/1.jpg". A question
belongs to an image if the name and the folder are the same, or the name where one path has no folder; if several
questions do, it is the one whose path has the longest end in common with the image's. Each question takes
32 bytes of memory. From a format in which a row cannot be read without those before it, they are copied.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
from etils import epath

from negjax.datasets.sources.rows import (
    AMBIGUOUS_QUESTION,
    INVALID,
    NO_QUESTION,
    Row,
    RowSource,
    SkipRow,
    SourceShard,
)
from negjax.datasets.sources.table_file import RowStart, file_sha256
from negjax.datasets.sources.table_formats import open_table
from negjax.datasets.sources.table_source import check_columns, read_row
from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic

INDEX_ENTRY = np.dtype([("key", np.int64), ("row", np.int64), ("byte", np.int64), ("line", np.int64)])
JOINED_LAYOUT = "questions"


def with_questions(source: RowSource, path: epath.PathLike) -> RowSource:
    """Adds a file of kind "questions" to a source, with one question per image; of several, the first counts.

    `join_questions` later indexes the questions and joins them to the rows.

    Raises:
        NegjaxError: The file is not of that kind, or the source has questions already.
    """
    if "question" in source.fields:
        raise NegjaxError(f"--questions: --kind {source.kind} has questions already")
    check_columns(open_table(path), JOINED_LAYOUT)
    return replace(
        source,
        file=f"{source.file} + {PurePosixPath(str(path)).name}",
        sha256=hashlib.sha256(f"{source.sha256} {file_sha256(path)}".encode()).hexdigest(),
        fields=(*source.fields, "question"),
        questions_file=str(path),
    )


def join_questions(source: RowSource, index: epath.Path, skip_malformed: bool) -> RowSource:
    """Indexes the questions of a source, and joins them to the rows of its shards.

    Args:
        source: A source with `questions_file`.
        index: The file to write, in which the shards look questions up; a copy of the questions is written beside it.
        skip_malformed: Count malformed questions in the notes, and skip the images that they name.

    Raises:
        NegjaxError: There are malformed questions, and `skip_malformed` is False.
    """
    file, count, malformed, first = open_table(source.questions_file), 0, 0, ""
    seekable = str(file.path) if file.seekable else str(index.with_suffix(".jsonl"))

    def entries(copy: IO[bytes] | None) -> Iterator[tuple[int, int, int, int]]:
        nonlocal count, malformed, first
        for start, row in file.rows():
            try:
                read_row(file, start, row, JOINED_LAYOUT)
            except ValueError as error:
                malformed, first = malformed + 1, first or str(error)
            count += 1
            byte = copy.tell() if copy else start.byte
            if copy:
                copy.write(json.dumps(file.cells(row), default=_no_text).encode() + b"\n")
            yield _name_key(file.media_path(row)), start.row, byte, start.line

    with nullcontext() if file.seekable else open_atomic(epath.Path(seekable)) as copy:
        keys = np.fromiter(entries(copy), INDEX_ENTRY)
    if malformed and not skip_malformed:
        raise NegjaxError(
            f"{malformed} of {count} questions are malformed, the first is {first}; "
            "fix the file, or skip them and their images with --skip-missing"
        )
    with open_atomic(index) as out:
        np.save(out, keys[np.argsort(keys["key"], kind="stable")])
    note = f"{malformed:,} of {count:,} questions are malformed (the first is {first})"
    return replace(
        source,
        shards=tuple(QuestionShard(shard, source.questions_file, seekable, str(index)) for shard in source.shards),
        notes=(*source.notes, note) if malformed else source.notes,
    )


@dataclass(frozen=True)
class QuestionShard:
    """A shard in which each row gets the question for its image; rows without one are skipped.

    Attributes:
        shard: The shard.
        questions_file: The file of questions.
        seekable: The same rows in a format in which any row can be read; the same file where its own is such a format.
        index: The index of the rows in `seekable`.
    """

    shard: SourceShard
    questions_file: str
    seekable: str
    index: str

    @property
    def rows(self) -> int:
        return self.shard.rows

    def read(self, skip: SkipRow) -> Iterator[Row]:
        questions = _QuestionIndex(self)
        for row in self.shard.read(skip):
            question = questions.find(row.path)
            if isinstance(question, _NoQuestion):
                skip(question.reason, row.index, f"{row.path}: {question.explanation}")
            else:
                columns = {name: question.record[name] for name in ("options", "answer", "kind")}
                yield replace(row, record=row.record | columns)


@dataclass(frozen=True)
class _NoQuestion:
    """Why an image has no question: a reason of `rows`, and an explanation."""

    reason: str
    explanation: str


@dataclass(frozen=True)
class _Candidate:
    """A question whose path may be that of an image: the parts of the path, where its row begins, and its content."""

    path: tuple[str, ...]
    start: RowStart
    content: Any


class _QuestionIndex:
    """The questions of a file by the names of their images."""

    def __init__(self, shard: QuestionShard):
        self._name, self._file = shard.questions_file, open_table(shard.seekable)
        self._entries = np.load(shard.index, mmap_mode="r")

    def find(self, path: str) -> Row | _NoQuestion:
        """The first question whose path has the longest end in common with this one."""
        image, file = _path_parts(path), self._name
        same_name = [candidate for candidate in self._candidates(path) if candidate.path[-1] == image[-1]]
        if not same_name:
            return _NoQuestion(NO_QUESTION, f"{file} has no question for it")
        fitting = [
            candidate
            for candidate in same_name
            if _common_end(candidate.path, image) >= min(2, len(candidate.path), len(image))
        ]
        if not fitting:
            other = same_name[0]
            return _NoQuestion(AMBIGUOUS_QUESTION, f"{file} row {other.start.row} is of {'/'.join(other.path)}")
        most = max(_common_end(candidate.path, image) for candidate in fitting)
        best = [candidate for candidate in fitting if _common_end(candidate.path, image) == most]
        longest = max(best, key=lambda candidate: len(candidate.path))
        for other in best:
            if _common_end(other.path, longest.path) < len(other.path):
                rows = f"rows {longest.start.row} and {other.start.row}"
                return _NoQuestion(AMBIGUOUS_QUESTION, f"{file} {rows} are of images of several folders")
        try:
            return read_row(self._file, best[0].start, best[0].content, JOINED_LAYOUT, name=file)
        except ValueError as error:
            return _NoQuestion(INVALID, str(error))

    def _candidates(self, path: str) -> Iterator[_Candidate]:
        """The questions for images of this name, and rarely others: names may share a key."""
        first, last = (int(np.searchsorted(self._entries["key"], _name_key(path), side)) for side in ("left", "right"))
        for _, *start in self._entries[first:last].tolist():
            row_start = RowStart(*start)
            content = next(self._file.rows(row_start))[1]
            yield _Candidate(_path_parts(self._file.media_path(content)), row_start, content)


def _no_text(cell: Any) -> str | dict[str, Any]:
    """What stands in the copy for a value that JSON does not have: the digits of a number, else no text."""
    return str(cell) if isinstance(cell, Decimal) else {}


def _name_key(path: str) -> int:
    """A 64-bit hash of the name of a file, without its folder."""
    return int.from_bytes(hashlib.blake2b(_path_parts(path)[-1].encode(), digest_size=8).digest(), signed=True)


def _common_end(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many parts two paths have in common at their ends."""
    count = 0
    for part, other in zip(reversed(first), reversed(second)):
        if part != other:
            break
        count += 1
    return count


def _path_parts(path: str) -> tuple[str, ...]:
    pure = PurePosixPath(path.strip().replace("\\", "/"))
    return tuple(part for part in pure.parts if part != "/") or ("",)
