"""WebDataset shards as a source of rows for training sets: see `tars` for their format, `layouts` for their texts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

from etils import epath

from negjax.datasets.sources.rows import INVALID, Row, RowSource, SkipRow
from negjax.datasets.sources.table import TABLE_KINDS, TABLE_LAYOUTS
from negjax.datasets.sources.table_source import MOST_SHARDS, SHARD_ROWS
from negjax.datasets.sources.tars import read_members, read_samples, unused_images
from negjax.errors import NegjaxError


def webdataset_source(kind: str, pattern: str, shard_rows: int = 0) -> RowSource:
    """Opens tar files of samples, in the order of their names; consecutive files form shards of enough rows.

    The source's sha256 hashes the list of all members and their sizes; its notes count images that are in no sample.

    Args:
        kind: One of TABLE_KINDS.
        pattern: "DIR/*.tar", or one file; only the name may have wildcards.
        shard_rows: Smallest number of rows of a shard; 0 for SHARD_ROWS, or more if that would make more than
            MOST_SHARDS.

    Raises:
        NegjaxError: The kind is unknown, no file matches, a file is truncated, or there are no samples.
    """
    if kind not in TABLE_KINDS:
        raise NegjaxError(f"unknown --kind {kind!r} of WebDataset shards; choose one of {', '.join(TABLE_KINDS)}")
    path = epath.Path(pattern)
    tars = sorted(map(str, path.parent.glob(path.name)))
    if not tars:
        raise NegjaxError(f"--webdataset {pattern}: no such files found: give 'DIR/*.tar' in quotes")
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
