"""Pictures inside Parquet files, as Hugging Face's data sets have them: a column of structs {bytes, path}.

The picture of row 12 of DIR/train-0.parquet has the path "train-0/12", or "train-0/12/NAME" where the struct has a path
that ends in NAME, so that `MediaRoot` finds it below DIR.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.regular import MAX_FILE_BYTES, check_regular

BATCH_PICTURES = 32  # that are held in memory, twice


@dataclass(frozen=True)
class ParquetPicture:
    """A picture in a Parquet file, as a `rows.MediaFile`. row: 0-based."""

    parquet: str
    row: int

    def read_bytes(self) -> bytes:
        return _open_pictures(self.parquet).read(self.row)

    def __str__(self) -> str:
        return f"{self.parquet} row {self.row}"


def picture_column(schema: Any) -> str:
    """The first column of pictures of an Arrow schema; "" if there is none."""
    import pyarrow

    for field in schema:
        if pyarrow.types.is_struct(field.type) and {part.name for part in field.type} >= {"bytes", "path"}:
            return field.name
    return ""


def picture_path(file: epath.PathLike, row: int, name: str | None) -> str:
    """The path of a row's picture. name: the path in its struct; None for none."""
    own = PurePosixPath((name or "").replace("\\", "/")).name
    return f"{PurePosixPath(str(file)).stem}/{row}" + (f"/{own}" if own else "")


def find_picture(parquet: str, row: int) -> ParquetPicture | None:
    """The picture of a row; None if the file has no pictures, or not as many rows."""
    pictures = _open_pictures(parquet)
    return ParquetPicture(parquet, row) if pictures.column and row < pictures.rows else None


class _PictureReader:
    """The pictures of a file, read in batches: fast in the order of the rows, in bounded memory.

    Attributes:
        column: the column of pictures; "" if there is none.
        rows: the number of rows.
    """

    def __init__(self, path: str):
        import pyarrow.parquet

        self._path, self._lock = path, threading.Lock()
        try:
            self._file = pyarrow.parquet.ParquetFile(check_regular(path).open("rb"), pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as error:
            raise NegjaxError(f"{path} cannot be read as Parquet ({' '.join(str(error).split())[:200]})") from error
        self.column, self.rows = picture_column(self._file.schema_arrow), self._file.metadata.num_rows
        self._batches: Iterator[tuple[int, Any]] = iter(())
        self._recent: deque[tuple[int, Any]] = deque(maxlen=2)  # first row and pictures of each

    def read(self, row: int) -> bytes:
        """The bytes of a row's picture; raises NegjaxError if it has none."""
        with self._lock:
            picture = self._find(row)
        if picture is None:
            raise NegjaxError(f"{self._path} row {row} holds no picture, at most the path of one")
        if len(picture) > MAX_FILE_BYTES:
            raise NegjaxError(f"{self._path} row {row}: its picture has more than {MAX_FILE_BYTES:,} bytes")
        return picture

    def _find(self, row: int) -> bytes | None:
        for first, batch in self._recent:
            if first <= row < first + len(batch):
                return batch[row - first].as_py()
        last = self._recent[-1] if self._recent else None
        if last is None or not last[0] <= row < last[0] + 20 * BATCH_PICTURES:
            self._recent.clear()
            self._batches = self._read_from(row)
        for first, batch in self._batches:
            self._recent.append((first, batch))
            if row < first + len(batch):
                return batch[row - first].as_py()
        raise NegjaxError(f"{self._path} has no row {row}")

    def _read_from(self, row: int) -> Iterator[tuple[int, Any]]:
        """The batches from the row group of a row on."""
        first = 0
        for group in range(self._file.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            if first + size > row:
                at = first
                for batch in self._file.iter_batches(
                    BATCH_PICTURES, row_groups=[group], columns=[f"{self.column}.bytes"], use_threads=False
                ):
                    yield at, batch.column(0).field("bytes")
                    at += len(batch)
            first += size


@lru_cache(maxsize=8)
def _open_pictures(path: str) -> _PictureReader:
    return _PictureReader(path)
