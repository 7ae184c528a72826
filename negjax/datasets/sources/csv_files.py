"""CSV files read from any row on: what each row's cells are, and where in the file it begins."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from etils import epath

from negjax.errors import NegjaxError


@dataclass(frozen=True)
class Start:
    """Where a row begins: its number from 0, its byte in the file, and its line as an editor counts, from 1."""

    row: int
    byte: int
    line: int


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8 with a header.

    Its errors are NegjaxErrors that name the file, the row and the line.
    """

    path: epath.PathLike

    @cached_property
    def columns(self) -> list[str]:
        """The names of its columns; an empty file has none."""
        return self._header[0]

    def rows(self, start: Start | None = None) -> Iterator[tuple[Start, list[str]]]:
        """Each row's place and cells, from `start` on; empty lines are none. They may be too few or too many."""
        begin = start or self._header[1]
        with self._open() as file:
            file.seek(begin.byte)
            yield from self._read(_Lines(file, begin.byte), begin)

    def starts(self, every: int) -> tuple[list[Start], int]:
        """Where each `every`-th row begins, from the first on, and how many rows there are."""
        found, count = [], 0
        for place, _ in self.rows():
            if count % every == 0:
                found.append(place)
            count += 1
        return found, count

    def row_at(self, start: Start) -> list[str]:
        """The cells of the row that begins there."""
        return next(self.rows(start))[1]

    @cached_property
    def _header(self) -> tuple[list[str], Start]:
        """The header's cells, and where the first row begins."""
        with self._open() as file:
            lines = _Lines(file, 0)
            try:
                reader = csv.reader(lines, strict=True)
                columns = next(reader, [])
            except csv.Error as error:
                raise NegjaxError(f"{self.path}: its first line is not one of a CSV file ({error})") from error
            except UnicodeDecodeError as error:
                raise self._not_utf8(error.reason) from error
            if any("\0" in name for name in columns):
                raise self._not_utf8("it may be UTF-16")
            return columns, Start(0, lines.byte, reader.line_num + 1)

    def _read(self, lines: "_Lines", begin: Start) -> Iterator[tuple[Start, list[str]]]:
        reader, row = csv.reader(lines, strict=True), begin.row
        byte, line = begin.byte, begin.line
        try:
            for cells in reader:
                if cells:
                    yield Start(row, byte, line), cells
                    row += 1
                byte, line = lines.byte, begin.line + reader.line_num
        except csv.Error as error:
            where = f"row {row} (line {begin.line + reader.line_num - 1})"
            raise NegjaxError(
                f"{self.path} {where}: {error}; mend this row: where it ends cannot be told, "
                "so --skip-missing cannot leave it out"
            ) from error
        except UnicodeDecodeError as error:
            raise self._not_utf8(error.reason) from error

    def _not_utf8(self, reason: str) -> NegjaxError:
        return NegjaxError(f"{self.path} is not UTF-8 text ({reason}): save it as UTF-8")

    def _open(self) -> IO[bytes]:
        try:
            return epath.Path(self.path).open("rb")
        except OSError as error:
            raise NegjaxError(f"cannot read {self.path}: {error.strerror or error}") from error


class _Lines:
    """The lines of a file as the csv module wants them, one at a time; `byte` is where the next one begins."""

    def __init__(self, file: IO[bytes], byte: int):
        self._file, self.byte = file, byte

    def __iter__(self) -> Iterator[str]:
        encoding = "utf-8-sig" if self.byte == 0 else "utf-8"  # with a mark at the head of the file
        for raw in self._file:
            for line in raw.splitlines(keepends=True):  # old files end lines with a carriage return alone
                self.byte += len(line)
                yield line.decode(encoding)
                encoding = "utf-8"
