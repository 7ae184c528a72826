"""Parquet files, a batch of rows at a time; columns that no layout reads, such as pictures, are not decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import pyarrow
import pyarrow.parquet
from etils import epath

from negjax.datasets.sources.cells import PATH_COLUMNS, Cells
from negjax.datasets.sources.pictures import picture_column, picture_path
from negjax.datasets.sources.table import is_read
from negjax.datasets.sources.table_file import RowStart
from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular

BATCH_ROWS = 1_000
BUFFER_BYTES = 1 << 20  # of each column that is read; without a buffer, all of a row group is held in memory


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, as a `TableFile`. To read a row, those before it in its row group are decoded."""

    path: epath.PathLike
    seekable = False

    @cached_property
    def columns(self) -> list[str]:
        """The names of its columns; pictures, which have a path by their row, stand as `filepath`."""
        with self._open() as file:
            schema = file.schema_arrow
        names = [
            f"{name} (pictures)" if name == "image" and not _is_text(kind) else name
            for name, kind in zip(schema.names, schema.types)
        ]
        return [*names, "filepath"] if self._pictures else names

    @cached_property
    def _pictures(self) -> str:
        """The column of pictures where no column has paths; else ""."""
        with self._open() as file:
            schema = file.schema_arrow
        named = zip(schema.names, schema.types)
        has_paths = any(name in PATH_COLUMNS and (name != "image" or _is_text(kind)) for name, kind in named)
        return "" if has_paths else picture_column(schema)

    @cached_property
    def _group_starts(self) -> list[int]:
        """The first row of each row group, and the number of rows."""
        with self._open() as file:
            sizes = (file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups))
            return list(accumulate(sizes, initial=0))

    def rows(self, start: RowStart | None = None) -> Iterator[tuple[RowStart, Cells]]:
        first, starts = start.row if start else 0, self._group_starts
        groups = [group for group, end in enumerate(starts[1:]) if end > first]
        if not groups:
            return
        row = starts[groups[0]]
        read = [name for name in self.columns if is_read(name) and not (name == "filepath" and self._pictures)]
        if self._pictures:
            read.append(f"{self._pictures}.path")
        with self._open() as file:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=read, use_threads=False):
                for cells in batch.slice(max(first - row, 0)).to_pylist() if row + len(batch) > first else ():
                    yield RowStart(max(first, row)), self._with_path(cells, max(first, row))
                    first = max(first, row) + 1
                row += len(batch)

    def _with_path(self, cells: Cells, row: int) -> Cells:
        """The cells of a row, with the path of its picture."""
        if not self._pictures:
            return cells
        others = {name: cell for name, cell in cells.items() if name != self._pictures}
        return others | {"filepath": picture_path(self.path, row, (cells[self._pictures] or {}).get("path"))}

    def starts(self, every: int) -> tuple[list[RowStart], int]:
        count = self._group_starts[-1]
        return [RowStart(row) for row in range(0, count, every)], count

    def cells(self, row: Cells) -> Cells:
        return row

    def media_path(self, row: Cells) -> str:
        return next((path for name in PATH_COLUMNS if isinstance(path := row.get(name), str)), "")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """Opens the file; makes the errors of Parquet's library those of the interface."""
        try:
            with check_regular(self.path).open("rb") as file:
                yield pyarrow.parquet.ParquetFile(
                    file, buffer_size=BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
                )
        except UnicodeDecodeError as error:
            raise NegjaxError(f"{self.path} has texts that are not UTF-8 ({error.reason}): write it again") from error
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise NegjaxError(f"{self.path} cannot be read as Parquet ({reason}): write it again") from error


def _is_text(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
