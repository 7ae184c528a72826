"""A file with a table of captions or questions as a source of rows.

The layouts that it may have are in `table`, its formats in `table_formats`.

Of a file only the positions of its shards are held in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

from etils import epath

from negjax.datasets.sources.rows import INVALID, Row, RowSource, SkipRow, refuse_row
from negjax.datasets.sources.table import TABLE_KINDS, TABLE_LAYOUTS
from negjax.datasets.sources.table_file import RowStart, TableFile, file_sha256
from negjax.datasets.sources.table_formats import open_table
from negjax.errors import NegjaxError

SHARD_ROWS = 10_000
MOST_SHARDS = 256  # a reader of the set keeps the file of each shard open


def table_source(
    kind: str, path: epath.PathLike, media_root: epath.PathLike, shard_rows: int = 0, separator: str = ","
) -> RowSource:
    """Opens a file with a table of captions or questions.

    Args:
        kind: The `kind` of a layout in `table`.
        path: The file.
        media_root: Folder in which the images or clips are found; see `MediaRoot`.
        separator: The character between the cells of a CSV file; tab may be written as \\t.
        shard_rows: Rows per shard; 0 for SHARD_ROWS, or more where that would make more than MOST_SHARDS.

    Raises:
        NegjaxError: The kind is unknown, the file or folder does not exist, or the file lacks a column or has no rows.
    """
    separator = "\t" if separator == "\\t" else separator
    if len(separator) != 1 or separator in '"\r\n':
        raise NegjaxError(f"--csv-separator {separator!r}: it must be one character, such as ; or \\t for tab")
    file = open_table(path, separator)
    name = _choose_layout(kind, file)
    layout = TABLE_LAYOUTS[name]
    root = layout.media_root(media_root)
    check_columns(file, name)
    starts, count = file.starts(shard_rows or SHARD_ROWS)
    if not count:
        raise NegjaxError(f"{path} has no rows to make a set of")
    every = shard_rows or SHARD_ROWS
    if not shard_rows:
        merged = -(-len(starts) // MOST_SHARDS)
        starts, every = starts[::merged], every * merged
    sizes = [min(every, count - start.row) for start in starts]
    return RowSource(
        kind=kind,
        name=str(path),
        file=PurePath(path).name,
        sha256=file_sha256(path),
        media_root=str(media_root),
        fields=layout.fields,
        shards=tuple(TableShard(name, str(path), separator, start, size) for start, size in zip(starts, sizes)),
        task_kind=layout.task_kind,
        find_media=root.find,
        metadata=layout.metadata,
    )


@dataclass(frozen=True)
class TableShard:
    """`rows` rows of a file from `start` on. layout: a key of TABLE_LAYOUTS."""

    layout: str
    path: str
    separator: str
    start: RowStart
    rows: int

    def read(self, skip: SkipRow) -> Iterator[Row]:
        return read_rows(self.path, self.layout, self.start, self.rows, skip, self.separator)


def read_rows(
    path: epath.PathLike,
    layout: str,
    start: RowStart | None = None,
    count: int | None = None,
    skip: SkipRow = refuse_row,
    separator: str = ",",
) -> Iterator[Row]:
    """Reads the rows of a file; a record's `id` is the index of its row.

    Args:
        path: The file.
        layout: A key of TABLE_LAYOUTS.
        start: The position of the first row to read; by default that of the first row of the file.
        count: Number of rows to read; by default all.
        skip: Called for each malformed row, by default to raise NegjaxError.
        separator: The character between the cells of a CSV file.

    Raises:
        NegjaxError: The file cannot be read, or a row is malformed; the message names the row, its line, if it has one,
            and the column.
    """
    file = open_table(path, separator)
    check_columns(file, layout)
    for row_start, content in islice(file.rows(start), count):
        try:
            row = read_row(file, row_start, content, layout)
        except ValueError as error:
            skip(INVALID, row_start.row, str(error))
            continue
        yield row


def read_row(file: TableFile, start: RowStart, row: Any, layout: str, name: str = "") -> Row:
    """Makes a row from what `TableFile.rows` yields.

    Args:
        file: The file of the row.
        start: The position of the row.
        row: What the file yields.
        layout: A key of TABLE_LAYOUTS.
        name: Name of the file in errors; "" for its path.

    Raises:
        ValueError: The row is malformed; the message names the file, the row and the column.
    """
    try:
        return TABLE_LAYOUTS[layout].read_row(file.cells(row), start.row)
    except (ValueError, KeyError) as error:
        fault = f"the column {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{name or file.path} {start}: {fault}") from error


def check_columns(file: TableFile, layout: str) -> None:
    """Raises NegjaxError if the file lacks a column of its layout (a key of TABLE_LAYOUTS), or has one twice."""
    path, columns, table = file.path, file.columns, TABLE_LAYOUTS[layout]
    if repeated := [name for name in columns if name and columns.count(name) > 1]:
        raise NegjaxError(f"{path} has the column {repeated[0]!r} twice")
    fitting = [other for other in TABLE_LAYOUTS.values() if not other.absent_columns(columns)]
    likely = max(fitting, key=lambda other: len(other.columns), default=table)
    hint = f"; it looks like --kind {likely.kind}" if likely.kind != table.kind else ""
    if absent := table.absent_columns(columns) + table.absent_options(columns):
        if len(columns) == 1 and (separator := next((mark for mark in ";\t|" if mark in columns[0]), "")):
            hint = f"; it looks separated by {separator!r}: give --csv-separator {separator!r}"
        raise NegjaxError(
            f"{path} has no column {', '.join(absent)}, needed for --kind {table.kind}; "
            f"it has: {', '.join(columns) or 'nothing'}{hint}"
        )
    if table.kind == "captions" and table.marker and hint:  # one text a row
        lost = [name for name in likely.columns if name not in table.columns]
        raise NegjaxError(f"{path} has the column {', '.join(lost)}, which --kind captions would leave out{hint}")


def _choose_layout(kind: str, file: TableFile) -> str:
    """The layout of a kind that a file has all columns of, else the one whose marker it has, else the usual one."""
    layouts = {name: layout for name, layout in TABLE_LAYOUTS.items() if layout.kind == kind}
    if not layouts:
        raise NegjaxError(f"unknown --kind {kind!r} of a table; choose one of {', '.join(TABLE_KINDS)}")
    complete = [name for name, layout in layouts.items() if not layout.absent_columns(file.columns)]
    marked = [name for name, layout in layouts.items() if layout.marker in file.columns and layout.marker]
    return [*complete, *marked, *(name for name, layout in layouts.items() if not layout.marker)][0]
