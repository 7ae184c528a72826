"""CSV files that can be read starting at any row: the cells of each row, and its position in the file."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular

OTHER_FORMATS = {  # the first bytes of a file -> what it is, and what to do
    b"\x1f\x8b": "it is compressed, unpack it with gunzip",
    b"BZh": "it is compressed, unpack it with bunzip2",
    b"\xfd7zX": "it is compressed, unpack it with unxz",
    b"\x28\xb5\x2f\xfd": "it is compressed, unpack it with unzstd",
    b"PK\x03\x04": "it is a ZIP archive or an Excel file, unpack it, or save it as CSV",
    b"PAR1": "it is a Parquet file, write it with pandas: read_parquet(FILE).to_csv(NEW, index=False)",
    b"{": "it is JSON, give a benchmark's file as --json, or write JSON lines with pandas: "
    "read_json(FILE, lines=True).to_csv(NEW, index=False)",
    b"[": "it is JSON, give a benchmark's file as --json, or write it with pandas: "
    "read_json(FILE).to_csv(NEW, index=False)",
}


@dataclass(frozen=True)
class RowStart:
    """The position of a row in a file.

    Attributes:
        row: 0-based index of the row.
        byte: Offset in the file.
        line: 1-based line, as an editor counts.
    """

    row: int
    byte: int
    line: int


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8 with a header. Reading it raises NegjaxError that names the file, the row and the line.

    Attributes:
        path: The file.
        separator: The character between cells.
    """

    path: epath.PathLike
    separator: str = ","

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
        """The positions of the rows 0, `every`, 2 * `every`, ..., and the number of rows."""
        starts, count = [], 0
        for start, _ in self.rows():
            if count % every == 0:
                starts.append(start)
            count += 1
        return starts, count

    def row_at(self, start: RowStart) -> list[str]:
        """The cells of the row at this position."""
        return next(self.rows(start))[1]

    @cached_property
    def _header(self) -> tuple[list[str], RowStart]:
        """The cells of the header, and the position of the first row."""
        with self._open() as file:
            beginning = file.read(4)
            for start, remedy in OTHER_FORMATS.items():
                if beginning.startswith(start):
                    raise NegjaxError(f"{self.path} is not a CSV file: {remedy}")
            file.seek(0)
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


def file_sha256(path: epath.PathLike) -> str:
    """The sha256 of a file's bytes; raises NegjaxError if it cannot be read."""
    try:
        with check_regular(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
