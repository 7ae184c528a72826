"""What a run that indexes a folder has done so far, in chunks of files, so that a killed one is resumed.

JOURNAL/00012.npy       float32 [n, E]: the embeddings that chunk 12 computed
JOURNAL/00012.parquet   a row a file of the chunk: those of `index_folder.SCHEMA`, the row of its embedding in the chunk
                        (none where its content was embedded before), its error. Written last: the chunk is complete
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import open_atomic
from negjax.search.found_files import FoundFile


@dataclass(frozen=True)
class IndexedFile:
    """A file that was read.

    Attributes:
        file: the file.
        sha256: of its content; zeros where it cannot be read.
        row: of its embedding among those of its chunk; None where an earlier chunk or index has it, or it is broken.
        error: why it is broken; "" where it is not.
    """

    file: FoundFile
    sha256: bytes
    row: int | None = None
    error: str = ""


class Journal:
    """The chunks of a run.

    Attributes:
        folder: their folder.
        chunks: number of complete chunks.
    """

    def __init__(self, folder: Path):
        """Finds complete chunks. folder: need not exist."""
        self.folder = folder
        self.chunks = 0
        while self._table(self.chunks).exists():
            self.chunks += 1

    def read(self) -> Iterator[list[IndexedFile]]:
        """The files of each complete chunk.

        Raises:
            NegjaxError: a chunk is damaged.
        """
        for chunk in range(self.chunks):
            try:
                rows = pq.read_table(self._table(chunk)).to_pylist()
                yield [
                    IndexedFile(
                        FoundFile(row["path"], row["size"], row["mtime_ns"]), row["sha256"], row["row"], row["error"]
                    )
                    for row in rows
                ]
            except (OSError, pa.ArrowException, KeyError) as error:
                raise NegjaxError(
                    f"{self._table(chunk)} is damaged ({error}): remove {self.folder} and index again"
                ) from error

    def vectors(self, chunk: int) -> np.ndarray:
        """The embeddings of a chunk [n, E], mapped into memory."""
        return np.load(self._vectors(chunk), mmap_mode="r", allow_pickle=False)

    def add(self, files: Sequence[IndexedFile], vector_NE: np.ndarray) -> None:
        """Writes a chunk, complete or not at all.

        Args:
            files: its files.
            vector_NE: the embeddings to which their rows point.
        """
        columns = {
            "path": pa.array([each.file.path for each in files], pa.string()),
            "size": pa.array([each.file.size for each in files], pa.int64()),
            "mtime_ns": pa.array([each.file.mtime_ns for each in files], pa.int64()),
            "sha256": pa.array([each.sha256 for each in files], pa.binary(32)),
            "row": pa.array([each.row for each in files], pa.int64()),
            "error": pa.array([each.error for each in files], pa.string()),
        }
        with open_atomic(self._vectors(self.chunks)) as file:
            np.save(file, vector_NE.astype(np.float32), allow_pickle=False)
        with open_atomic(self._table(self.chunks)) as file:
            pq.write_table(pa.table(columns), file)
        self.chunks += 1

    def remove(self) -> None:
        """Removes all chunks."""
        if self.folder.exists():
            epath.Path(self.folder).rmtree()

    def _table(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05}.parquet"

    def _vectors(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05}.npy"
