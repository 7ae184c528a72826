"""Questions of a second CSV file for the images of a training set: found by paths that end alike.

The two files may name another folder before the same end, "/mnt/cc12m/00000/1.jpg" and "/data/00000/1.jpg". A question
belongs to an image when name and folder are the same, or the name where one path has no more; where several do, it is
the one whose path ends most like the image's. Nothing here holds more in memory than 32 bytes for each question.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from etils import epath

from negjax.datasets.sources.csv_files import CsvFile, Start
from negjax.datasets.sources.files import sha256_of
from negjax.datasets.sources.parts import Finder, LeaveOut, Part, ShardedSource
from negjax.datasets.sources.rows import MediaFile, Row
from negjax.datasets.sources.tables import check_columns, path_column, read_row
from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic

INDEX = np.dtype([("key", np.int64), ("row", np.int64), ("byte", np.int64), ("line", np.int64)])


def with_questions(source: ShardedSource, csv: epath.PathLike) -> ShardedSource:
    """The source with a question for each image from a CSV file of kind "questions"; of several, the first.

    Raises NegjaxError when the file is none of questions, or the source has them already.
    """
    if "question" in source.fields:
        raise NegjaxError(f"--questions: --kind {source.kind} holds questions already")
    check_columns(CsvFile(csv), "questions")
    return replace(
        source,
        file=f"{source.file} + {PurePosixPath(str(csv)).name}",
        sha256=hashlib.sha256(f"{source.sha256} {sha256_of(csv)}".encode()).hexdigest(),
        fields=(*source.fields, "question"),
        questions=str(csv),
    )


def asked(source: ShardedSource, index: epath.Path, skip_missing: bool) -> ShardedSource:
    """The source with parts each of whose rows has its question; writes the file `index`, in which they look them up.

    Raises NegjaxError for questions that cannot be understood; with skip_missing they are counted in the notes, and the
    images that they name are left out.
    """
    file = CsvFile(source.questions)
    column, count, bad, first_bad = path_column(file.columns), 0, 0, ""

    def entries() -> Iterator[tuple[int, int, int, int]]:
        nonlocal count, bad, first_bad
        for place, cells in file.rows():
            try:
                read_row(file, place, cells, "questions")
            except ValueError as error:
                bad, first_bad = bad + 1, first_bad or str(error)
            count += 1
            yield _key(_cell(cells, column)), place.row, place.byte, place.line

    keys = np.fromiter(entries(), INDEX)
    if bad and not skip_missing:
        raise NegjaxError(
            f"{bad} of {count} questions cannot be understood, the first is {first_bad}; "
            "mend the file, or leave them and their images out with --skip-missing"
        )
    with open_atomic(index) as out:
        np.save(out, keys[np.argsort(keys["key"], kind="stable")])
    told = f"{bad:,} of {count:,} questions cannot be understood (the first is {first_bad})"
    return replace(
        source,
        parts=tuple(AskedPart(part, source.questions, str(index)) for part in source.parts),
        notes=(*source.notes, told) if bad else source.notes,
    )


@dataclass(frozen=True)
class AskedPart:
    """A part each of whose rows gets the question that a CSV file has for its image; rows without one are left out."""

    part: Part
    csv: str
    index: str

    @property
    def rows(self) -> int:
        return self.part.rows

    def read(self, leave_out: LeaveOut) -> Iterator[tuple[Row, MediaFile | None]]:
        questions = _Questions(self.csv, self.index)
        for row, place in self.part.read(leave_out):
            found = questions.find(row.file)
            if isinstance(found, _NoQuestion):
                leave_out(found.reason, row.number, f"{row.file}: {found.why}")
            else:
                question = {name: found.record[name] for name in ("options", "answer", "kind")}
                yield Row(row.number, row.file, row.record | question), place

    def finder(self) -> Finder | None:
        return self.part.finder()


@dataclass(frozen=True)
class _NoQuestion:
    """Why there is no question for an image: a reason of `training_sets`, and more closely."""

    reason: str
    why: str


class _Questions:
    """The questions of a CSV file by the names of their images."""

    def __init__(self, csv: str, index: str):
        self._file = CsvFile(csv)
        self._column = path_column(self._file.columns)
        self._index = np.load(index, mmap_mode="r")

    def find(self, file: str) -> Row | _NoQuestion:
        """The first question whose path ends most like this."""
        image, csv = _parts(file), self._file.path
        named = [each for each in self._of_name(file) if each[0][-1] == image[-1]]
        if not named:
            return _NoQuestion("unasked", f"{csv} has no question for it")
        fitting = [each for each in named if _common_end(each[0], image) >= min(2, len(each[0]), len(image))]
        if not fitting:
            path, place, _ = named[0]
            return _NoQuestion("unsure", f"{csv} row {place.row} is of {'/'.join(path)}")
        most = max(_common_end(path, image) for path, *_ in fitting)
        best = [each for each in fitting if _common_end(each[0], image) == most]
        longest, one, _ = max(best, key=lambda each: len(each[0]))
        for path, other, _ in best:
            if _common_end(path, longest) < len(path):
                return _NoQuestion("unsure", f"{csv} rows {one.row} and {other.row} are of images of several folders")
        _, place, cells = best[0]
        try:
            return read_row(self._file, place, cells, "questions")
        except ValueError as error:
            return _NoQuestion("invalid", str(error))

    def _of_name(self, file: str) -> Iterator[tuple[tuple[str, ...], Start, list[str]]]:
        """The questions whose paths have this name, or by a rare chance another: path, place and cells."""
        first, last = (int(np.searchsorted(self._index["key"], _key(file), side)) for side in ("left", "right"))
        for _, *start in self._index[first:last].tolist():
            place = Start(*start)
            cells = self._file.row_at(place)
            yield _parts(_cell(cells, self._column)), place, cells


def _key(file: str) -> int:
    """A number for the name of a file, whatever its folder; few names share one."""
    return int.from_bytes(hashlib.blake2b(_parts(file)[-1].encode(), digest_size=8).digest(), signed=True)


def _common_end(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many of the last parts of two paths are the same."""
    alike = 0
    for one, other in zip(reversed(first), reversed(second)):
        if one != other:
            break
        alike += 1
    return alike


def _cell(cells: list[str], column: int) -> str:
    """ "" where the row is too short to have one."""
    return cells[column] if len(cells) > column else ""


def _parts(file: str) -> tuple[str, ...]:
    path = PurePosixPath(file.strip().replace("\\", "/"))
    return tuple(part for part in path.parts if part != "/") or ("",)
