"""Parquet files, a batch of rows at a time; columns that no layout reads, such as pictures, are never decoded."""

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
        with self._open() as file:
            schema = file.schema_arrow
            return [
                f"{name} (pictures)" if name == "image" and not _is_text(kind) else name
                for name, kind in zip(schema.names, schema.types)
            ]

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
        with self._open() as file:
            for batch in file.iter_batches(
                BATCH_ROWS, row_groups=groups, columns=list(filter(is_read, self.columns)), use_threads=False
            ):
                for cells in batch.slice(max(first - row, 0)).to_pylist() if row + len(batch) > first else ():
                    yield RowStart(max(first, row)), cells
                    first = max(first, row) + 1
                row += len(batch)

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
