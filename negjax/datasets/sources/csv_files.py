"""CSV files that can be read starting at any row."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from etils import epath

from negjax.datasets.sources.cells import PATH_COLUMNS, Cells
from negjax.datasets.sources.table_file import RowStart, count_rows
from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8 with a header, as a `TableFile`. Errors name the row and the line.

    Attributes:
        path: The file.
        separator: The character between cells.
    """

    path: epath.PathLike
    separator: str = ","
    seekable = True

    @cached_property
    def columns(self) -> list[str]:
        """The header's cells; none for an empty file."""
        return self._header[0]

    def rows(self, start: RowStart | None = None) -> Iterator[tuple[RowStart, list[str]]]:
        """Reads the rows from `start` on, by default from the first one.

        Empty lines are skipped. A row may have more or fewer cells than the header.

        Yields:
            The position of the row, and its cells.
        """
        begin = start or self._header[1]
        with self._open() as file:
            file.seek(begin.byte)
            yield from self._read(_Lines(file, begin.byte), begin)

    def starts(self, every: int) -> tuple[list[RowStart], int]:
        return count_rows(self, every)

    def cells(self, row: list[str]) -> Cells:
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} cells where the header has {len(self.columns)} columns")
        return dict(zip(self.columns, row))

    def media_path(self, row: list[str]) -> str:
        column = next(self.columns.index(name) for name in PATH_COLUMNS if name in self.columns)
        return row[column] if len(row) > column else ""

    @cached_property
    def _header(self) -> tuple[list[str], RowStart]:
        """The cells of the header, and the position of the first row."""
        with self._open() as file:
            lines = _Lines(file, 0)
            try:
                reader = csv.reader(lines, strict=True, delimiter=self.separator)
                columns = next(reader, [])
            except csv.Error as error:
                raise NegjaxError(f"{self.path}: its first line is not a CSV header ({error}): fix it") from error
            except UnicodeDecodeError as error:
                raise self._not_utf8(error.reason) from error
            if any("\0" in name for name in columns):
                raise self._not_utf8("it may be UTF-16")
            return columns, RowStart(0, lines.byte, reader.line_num + 1)

    def _read(self, lines: "_Lines", begin: RowStart) -> Iterator[tuple[RowStart, list[str]]]:
        reader, row = csv.reader(lines, strict=True, delimiter=self.separator), begin.row
        byte, line = begin.byte, begin.line
        try:
            for cells in reader:
                if cells:
                    yield RowStart(row, byte, line), cells
                    row += 1
                byte, line = lines.byte, begin.line + reader.line_num
        except csv.Error as error:
            where = f"row {row} (line {begin.line + reader.line_num - 1})"
            raise NegjaxError(
                f"{self.path} {where}: {error}; fix this row: its end is unknown, so --skip-missing cannot skip it"
            ) from error
        except UnicodeDecodeError as error:
            raise self._not_utf8(error.reason) from error

    def _not_utf8(self, reason: str) -> NegjaxError:
        return NegjaxError(f"{self.path} is not UTF-8 text ({reason}): save it as UTF-8")

    def _open(self) -> IO[bytes]:
        try:
            return check_regular(self.path).open("rb")
        except OSError as error:
            raise NegjaxError(f"cannot read {self.path}: {error.strerror or error}") from error


class _Lines:
    """The lines of a file, one at a time, for `csv.reader`; `byte` is the offset of the next line."""

    def __init__(self, file: IO[bytes], byte: int):
        self._file, self.byte = file, byte

    def __iter__(self) -> Iterator[str]:
        encoding = "utf-8-sig" if self.byte == 0 else "utf-8"  # the file may begin with a byte order mark
        for raw in self._file:
            for line in raw.splitlines(keepends=True):  # old files end lines with a carriage return alone
                self.byte += len(line)
                yield line.decode(encoding)
                encoding = "utf-8"
