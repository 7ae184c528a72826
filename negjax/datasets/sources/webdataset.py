"""WebDataset shards as a source of rows for training sets: see `tars` for their format, `layouts` for their texts."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

from negjax.datasets.sources.rows import INVALID, Row, RowSource, SkipRow
from negjax.datasets.sources.table import TABLE_KINDS, TABLE_LAYOUTS
from negjax.datasets.sources.table_source import MOST_SHARDS, SHARD_ROWS
from negjax.datasets.sources.tars import read_members, read_samples, unused_images
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path

BRACES = re.compile(r"\{(?:(?P<first>\d{1,9})\.\.(?P<last>\d{1,9})|(?P<names>[^{},]*(?:,[^{},]*)+))\}")
MOST_TARS = 1_000_000


def webdataset_source(kind: str, pattern: str, shard_rows: int = 0) -> RowSource:
    """Opens tar files of samples; consecutive files form shards of enough rows.

    The source's sha256 hashes the list of all members and their sizes; its notes count images that are in no sample.

    Args:
        kind: One of TABLE_KINDS.
        pattern: "DIR/*.tar", in the order of their names, "DIR/{000..010}.tar", in this order, or one file; only the
            name may have wildcards. Or a folder, whose folders of loose files are read like tar files.
        shard_rows: Smallest number of rows of a shard; 0 for SHARD_ROWS, or more if that would make more than
            MOST_SHARDS.

    Raises:
        NegjaxError: The kind is unknown, no file matches, a file is truncated, or there are no samples.
    """
    if kind not in TABLE_KINDS:
        raise NegjaxError(f"unknown --kind {kind!r} of WebDataset shards; choose one of {', '.join(TABLE_KINDS)}")
    tars = _find_tars(pattern)
    digest, counts, unused, first_unused = hashlib.sha256(), [], 0, ""
    for tar in tars:
        members = list(read_members(tar))
        counts.append(sum(1 for _ in read_samples(members)))
        extra = unused_images(members)
        unused += len(extra)
        if extra and not first_unused:
            first_unused = str(extra[0])
        listed = (f"{PurePosixPath(tar).name}/{member.name} {member.size}\n" for member in members)
        digest.update("".join(listed).encode())
    note = (
        f"skipped {unused:,} images in the tar files (the first is {first_unused}): a sample has one image, "
        "and its key ends at the first dot of a name"
    )
    notes = (note,) if unused else ()
    if not sum(counts):
        raise NegjaxError("; ".join([f"--webdataset {pattern}: no samples with images in {len(tars)} files", *notes]))
    return RowSource(
        kind=kind,
        name=pattern,
        file=PurePosixPath(pattern).name,
        sha256=digest.hexdigest(),
        media_root=str(PurePosixPath(pattern).parent),
        fields=TABLE_LAYOUTS[kind].fields,
        shards=_group_tars(kind, tars, counts, shard_rows),
        task_kind="train",
        notes=notes,
    )


def _find_tars(pattern: str) -> list[str]:
    """The tar files of a pattern, or the folders in a folder, as img2dataset writes them in its format "files".

    Raises:
        NegjaxError: one of its names matches none, or a file is named twice.
    """
    if (folder := to_path(pattern, "--webdataset")).is_dir():
        return sorted(str(path) for path in folder.iterdir() if path.is_dir()) or [str(folder)]
    names = [pattern] if to_path(pattern, "--webdataset").exists() else expand_braces(pattern)
    tars: list[str] = []
    for name in names:
        path = to_path(name, "--webdataset")
        matched = sorted(map(str, path.parent.glob(path.name)))
        if not matched:
            missing = f"; {name} is missing" if len(names) > 1 else ""
            raise NegjaxError(f"--webdataset {pattern}: no such files found: give 'DIR/*.tar' in quotes{missing}")
        tars += matched
    if len(set(tars)) < len(tars):
        raise NegjaxError(f"--webdataset {pattern} names {Counter(tars).most_common(1)[0][0]} twice")
    return tars


def expand_braces(pattern: str) -> list[str]:
    """The names that a shell makes of "{000..010}.tar" or "{a,b}.tar", as WebDataset's users write shards.

    Raises:
        NegjaxError: There are more than MOST_TARS.
    """
    match = BRACES.search(pattern)
    if not match:
        return [pattern]
    if match["first"]:
        first, last = int(match["first"]), int(match["last"])
        count, step = abs(last - first) + 1, 1 if last >= first else -1
        bounds = match["first"], match["last"]
        width = max(map(len, bounds)) if any(len(bound) > 1 and bound[0] == "0" for bound in bounds) else 0
        parts = map(f"{{:0{width}d}}".format, range(first, last + step, step))
    else:
        count, parts = match["names"].count(",") + 1, map(str, match["names"].split(","))
    ends = expand_braces(pattern[match.end() :])
    if count * len(ends) > MOST_TARS:
        raise NegjaxError(f"--webdataset {pattern} names {count * len(ends):,} files, more than {MOST_TARS:,}")
    return [f"{pattern[: match.start()]}{part}{end}" for part in parts for end in ends]


@dataclass(frozen=True)
class TarShard:
    """The samples of some tar files. layout: a key of TABLE_LAYOUTS. first: the index of the first row."""

    layout: str
    tars: tuple[str, ...]
    first: int
    rows: int

    def read(self, skip: SkipRow) -> Iterator[Row]:
        index, layout = self.first, TABLE_LAYOUTS[self.layout]
        for tar in self.tars:
            for sample in read_samples(read_members(tar)):
                try:
                    row = layout.read_row(sample.read_cells(), index)
                    yield Row(row.index, row.path, row.record, media=sample.image)
                except (ValueError, TypeError, AttributeError, KeyError) as error:  # JSON may hold anything anywhere
                    fault = f"the column {error} is missing" if isinstance(error, KeyError) else str(error)
                    skip(INVALID, index, f"{sample.image}: {fault}")
                index += 1


def _group_tars(kind: str, tars: list[str], counts: list[int], shard_rows: int) -> tuple[TarShard, ...]:
    """Groups consecutive tar files into shards. counts: the number of samples of each file."""
    firsts = [0, *accumulate(counts)]
    least = shard_rows or max(SHARD_ROWS, -(-firsts[-1] // MOST_SHARDS))
    shards, begin = [], 0
    for end in range(1, len(tars) + 1):
        if firsts[end] - firsts[begin] >= least or end == len(tars):
            shards.append(TarShard(kind, tuple(tars[begin:end]), firsts[begin], firsts[end] - firsts[begin]))
            begin = end
    return tuple(shards)
