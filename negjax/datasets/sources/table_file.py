"""The interface of files of tables, whatever their format: rows that can be read from any position on.

The formats are in `table_formats`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from etils import epath

from negjax.datasets.sources.cells import Cells
from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular


@dataclass(frozen=True)
class RowStart:
    """The position of a row in a file.

    Attributes:
        row: 0-based index of the row.
        byte: Offset in the file; 0 where a row has none.
        line: 1-based line, as an editor counts; 0 where a row has none.
    """

    row: int
    byte: int = 0
    line: int = 0

    def __str__(self) -> str:
        return f"row {self.row} (line {self.line})" if self.line else f"row {self.row}"


class TableFile(Protocol):
    """A file of a table. Reading it raises NegjaxError that names the file and, where it can, the row."""

    @property
    def path(self) -> epath.PathLike:
        """The file."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""

    @property
    def seekable(self) -> bool:
        """Whether a row is read without those before it."""

    def rows(self, start: RowStart | None = None) -> Iterator[tuple[RowStart, Any]]:
        """Reads the rows from `start` on, by default from the first one.

        Yields:
            The position of the row, and what `cells` and `media_path` take.
        """

    def starts(self, every: int) -> tuple[list[RowStart], int]:
        """The positions of the rows 0, `every`, 2 * `every`, ..., and the number of rows."""

    def cells(self, row: Any) -> Cells:
        """The cells of a row by column; raises ValueError if it is malformed."""

    def media_path(self, row: Any) -> str:
        """The path of a row's image or clip, which may be malformed otherwise; "" if it has none."""


def count_rows(file: TableFile, every: int) -> tuple[list[RowStart], int]:
    """`TableFile.starts` of a file that has to be read for it."""
    starts, count = [], 0
    for start, _ in file.rows():
        if count % every == 0:
            starts.append(start)
        count += 1
    return starts, count


def file_sha256(path: epath.PathLike) -> str:
    """The sha256 of a file's bytes; raises NegjaxError if it cannot be read."""
    try:
        with check_regular(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
