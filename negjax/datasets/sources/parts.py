"""Sources of training sets, cut into parts: any process can read a part by itself, and be asked for it again.

Nothing here holds more of a source in memory than where its parts begin.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Protocol

from etils import epath

from negjax.datasets.sources.csv_files import CsvFile, Start
from negjax.datasets.sources.files import sha256_of
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import MediaFile, Row
from negjax.datasets.sources.tables import FIELDS, check_columns, read_rows, row_of
from negjax.datasets.sources.tars import members, samples, unused_images
from negjax.errors import NegjaxError

KINDS = ("captions", "negcap", "questions", "pairs")
LEAST_ROWS = 10_000  # of a part, and
MOST_PARTS = 256  # so many parts at most: a reader keeps the file of each open

LeaveOut = Callable[[str, int, str], object]  # told of a row: a reason of `training_sets`, its number, and why
Finder = Callable[[str], MediaFile | None]


class Part(Protocol):
    """Consecutive rows of a source; can be pickled."""

    @property
    def rows(self) -> int: ...

    def read(self, leave_out: LeaveOut) -> Iterator[tuple[Row, MediaFile | None]]:
        """Its rows, and where the image of each is, None when nowhere."""

    def finder(self) -> Finder | None:
        """Where the image of a row is now, by the row's file; None for a part whose images are in its own files."""


@dataclass(frozen=True)
class ShardedSource:
    """What a training set is built from, as `rows.Source` has it; the parts are in the source's order.

    questions: a CSV file that has a question for each image (see `questions`), empty for none. notes: for people.
    """

    kind: str
    name: str
    file: str
    sha256: str
    media_root: str
    fields: tuple[str, ...]
    parts: tuple[Part, ...]
    questions: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def csv_parts(kind: str, csv: epath.PathLike, media_root: epath.PathLike, rows: int = 0) -> ShardedSource:
    """A CSV file of kind "captions", "negcap", "questions" or "pairs" (see `tables`), in parts of so many rows.

    rows: 0 for LEAST_ROWS, or what makes MOST_PARTS. Raises NegjaxError when there is no such kind, file or folder.
    """
    _check_kind(kind)
    MediaRoot(media_root)
    file = CsvFile(csv)
    check_columns(file, kind)
    starts, count = file.starts(rows or LEAST_ROWS)
    if not count:
        raise NegjaxError(f"{csv} has no rows to make a set of")
    every = rows or LEAST_ROWS
    if not rows:
        together = -(-len(starts) // MOST_PARTS)
        starts, every = starts[::together], every * together
    sizes = [min(every, count - start.row) for start in starts]
    return ShardedSource(
        kind=kind,
        name=str(csv),
        file=PurePosixPath(str(csv)).name,
        sha256=sha256_of(csv),
        media_root=str(media_root),
        fields=FIELDS[kind],
        parts=tuple(CsvPart(kind, str(csv), str(media_root), *each) for each in zip(starts, sizes)),
    )


@dataclass(frozen=True)
class CsvPart:
    """`rows` rows of a CSV file."""

    kind: str
    csv: str
    media_root: str
    start: Start
    rows: int

    def read(self, leave_out: LeaveOut) -> Iterator[tuple[Row, MediaFile | None]]:
        find = self.finder()
        for row in read_rows(self.csv, self.kind, self.start, self.rows, partial(leave_out, "invalid")):
            yield row, find(row.file)

    def finder(self) -> Finder:
        return MediaRoot(self.media_root).find


def tar_parts(kind: str, pattern: str, rows: int = 0) -> ShardedSource:
    """WebDataset shards (see `tars`) in the order of their names, some to a part until it has so many rows.

    pattern: "DIR/*.tar", or one file; only the name may have wildcards. The source's sha256 is that of the list of all
    members and their sizes; its notes tell of images that no sample has. Raises NegjaxError when there is no such kind
    or file.
    """
    _check_kind(kind)
    path = epath.Path(pattern)
    tars = sorted(map(str, path.parent.glob(path.name)))
    if not tars:
        raise NegjaxError(f"--webdataset {pattern}: there are no such files; give 'DIR/*.tar' in quotes")
    listed, counts, unused, first_unused = hashlib.sha256(), [], 0, ""
    for tar in tars:
        held = list(members(tar))
        counts.append(sum(1 for _ in samples(held)))
        extra = unused_images(held)
        unused += len(extra)
        if extra and not first_unused:
            first_unused = str(extra[0])
        listed.update("".join(f"{PurePosixPath(tar).name}/{each.name} {each.size}\n" for each in held).encode())
    firsts = [0, *accumulate(counts)]
    told = (
        f"passed over {unused:,} images in the tar files (the first is {first_unused}): a sample has one image, "
        "and its key ends at the first dot of a name"
    )
    notes = (told,) if unused else ()
    if not firsts[-1]:
        raise NegjaxError(
            "; ".join([f"--webdataset {pattern}: the {len(tars)} files hold no samples of images", *notes])
        )
    least = rows or max(LEAST_ROWS, -(-firsts[-1] // MOST_PARTS))
    parts, begin = [], 0
    for end in range(1, len(tars) + 1):
        if firsts[end] - firsts[begin] >= least or end == len(tars):
            parts.append(TarPart(kind, tuple(tars[begin:end]), firsts[begin], firsts[end] - firsts[begin]))
            begin = end
    return ShardedSource(
        kind=kind,
        name=pattern,
        file=PurePosixPath(pattern).name,
        sha256=listed.hexdigest(),
        media_root=str(PurePosixPath(pattern).parent),
        fields=FIELDS[kind],
        parts=tuple(parts),
        notes=notes,
    )


@dataclass(frozen=True)
class TarPart:
    """The `rows` samples of some WebDataset shards."""

    kind: str
    tars: tuple[str, ...]
    first: int
    rows: int

    def read(self, leave_out: LeaveOut) -> Iterator[tuple[Row, MediaFile | None]]:
        number = self.first
        for tar in self.tars:
            for sample in samples(members(tar)):
                try:
                    yield row_of(sample.cells(), number, self.kind), sample.image
                except (ValueError, TypeError, AttributeError, KeyError) as error:  # JSON may hold anything anywhere
                    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
                    leave_out("invalid", number, f"{sample.image}: {reason}")
                number += 1

    def finder(self) -> None:
        return None


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise NegjaxError(f"--kind {kind}: training sets are made of {', '.join(KINDS)}")
