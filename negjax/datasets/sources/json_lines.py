"""JSON lines: one JSON object in each line, whose keys are the columns; lines are read one at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.datasets.sources.cells import PATH_COLUMNS, Cells
from negjax.datasets.sources.table_file import RowStart, count_rows
from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular

MAX_LINE_BYTES = 1 << 24


@dataclass(frozen=True)
class JsonLinesFile:
    """A file of JSON lines, as a `TableFile`; its columns are the keys of its first line. Empty lines are skipped."""

    path: epath.PathLike
    seekable = True

    @cached_property
    def columns(self) -> list[str]:
        for start, line in self.rows():
            try:
                return list(self.cells(line))
            except ValueError as error:
                raise NegjaxError(f"{self.path} {start}: {error}") from error
        return []

    def rows(self, start: RowStart | None = None) -> Iterator[tuple[RowStart, bytes]]:
        row, byte, number = (start.row, start.byte, start.line) if start else (0, 0, 1)
        try:
            with check_regular(self.path).open("rb") as file:
                file.seek(byte)
                while line := file.readline(MAX_LINE_BYTES + 1):
                    if len(line) > MAX_LINE_BYTES:
                        where = RowStart(row, byte, number)
                        raise NegjaxError(
                            f"{self.path} {where}: a line has at most {MAX_LINE_BYTES:,} bytes: shorten it"
                        )
                    if line.strip():
                        yield RowStart(row, byte, number), line
                        row += 1
                    byte, number = byte + len(line), number + 1
        except OSError as error:
            raise NegjaxError(f"cannot read {self.path}: {error.strerror or error}") from error

    def starts(self, every: int) -> tuple[list[RowStart], int]:
        return count_rows(self, every)

    def cells(self, row: bytes) -> Cells:
        try:
            cells = parse_json(row.decode("utf-8-sig").rstrip())
        except json.JSONDecodeError as error:
            raise ValueError(f"its line is not JSON ({error.msg} at character {error.colno})") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"its line is not UTF-8 text ({error.reason})") from error
        if not isinstance(cells, dict):
            raise ValueError("its line is not a JSON object")
        return cells

    def media_path(self, row: bytes) -> str:
        try:
            cells = self.cells(row)
        except ValueError:
            return ""
        return next((path for name in PATH_COLUMNS if isinstance(path := cells.get(name), str)), "")
