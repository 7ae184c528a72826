"""The folder of an index: its format, and writing and opening it.

INDEX/index.json             what it is of: folder, model, number of files; names DATA. Written last.
INDEX/DATA/files.parquet     a row a file, sorted: path (below the folder), size, mtime_ns, sha256 (32 bytes)
INDEX/DATA/vectors.npy       float32 or float16 [N, E], unit length: row n is of the file in row n; not there where a
                             store has the vectors
INDEX/DATA/broken.jsonl      files that cannot be decoded: path, size, mtime_ns, error
INDEX/unfinished/            what a stopped run has done, see `negjax.search.journal`

DATA is named after its content, so that a reader of an old one is not disturbed. Any program that reads Parquet and
NumPy's files can use them. Shapes: N files, E embedding width.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from negjax.errors import MALFORMED_CONTENT, NegjaxError
from negjax.runtime.files import open_atomic, write_atomic
from negjax.runtime.paths import to_local_path
from negjax.runtime.temporary import temporary_beside
from negjax.search.found_files import FoundFile
from negjax.search.stores.store import StoreAddress

FORMAT_VERSION = 1
VECTOR_TYPES = ("float32", "float16")
SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64()), ("sha256", pa.binary(32))])
_DATA = re.compile(r"data-[0-9a-f]{16}")


@dataclass(frozen=True)
class BrokenFile:
    """A file that cannot be decoded, and why."""

    path: str
    size: int
    mtime_ns: int
    error: str


@dataclass(frozen=True)
class IndexInfo:
    """What an index is of; the content of index.json.

    Attributes:
        folder: the indexed folder, absolute.
        files: number of files.
        broken: number of files that cannot be decoded.
        width: of an embedding.
        vectors: type of the vectors, one of VECTOR_TYPES.
        load: how its model is loaded, the arguments of `negjax.weights.read.read_model`.
        model: what the model is: "arch", "sha256" of its weights, preprocessing and sampling of clips.
        data: the folder of the data.
        store: where the vectors are instead, the fields of `StoreAddress`; None where they are in the index.
        format: FORMAT_VERSION.
    """

    folder: str
    files: int
    broken: int
    width: int
    vectors: str
    load: dict[str, Any]
    model: dict[str, Any]
    data: str
    store: dict[str, str] | None = None
    format: int = FORMAT_VERSION


@dataclass(frozen=True)
class FileIndex:
    """An open index.

    Attributes:
        path: its folder.
        info: what it is of.
        files: the table of files.
        mapped_NE: their embeddings, mapped into memory, not read; None where a store has them.
        broken: files that cannot be decoded.
    """

    path: Path
    info: IndexInfo
    files: pa.Table
    mapped_NE: np.ndarray | None
    broken: list[BrokenFile]

    @property
    def vector_NE(self) -> np.ndarray:
        """The embeddings of the files, mapped into memory, not read. Raises NegjaxError where a store has them."""
        if self.mapped_NE is None:
            raise NegjaxError(
                f"the vectors of the index {self.path} are in {self.store_address()}: `negjax search` asks there; "
                "everything else needs an index without --store"
            )
        return self.mapped_NE

    def store_address(self) -> StoreAddress | None:
        """Where the vectors are instead; None where they are in the index."""
        return None if self.info.store is None else StoreAddress(**self.info.store)

    def file_path(self, row: int) -> str:
        """The path of a file below the indexed folder."""
        return self.files["path"][row].as_py()


def open_index(path: epath.PathLike) -> FileIndex:
    """Opens an index.

    Raises:
        NegjaxError: there is none, or it is damaged or of another version.
    """
    folder = Path(to_local_path(path))
    try:
        content = json.loads((folder / "index.json").read_text())
        if content["format"] != FORMAT_VERSION:
            raise NegjaxError(f"{folder} has format {content['format']}, this version reads {FORMAT_VERSION}: update")
        info = IndexInfo(**content)
        if not _DATA.fullmatch(info.data):
            raise ValueError(f"its data folder is {info.data!r}")
        data = folder / info.data
        files = pq.read_table(data / "files.parquet", memory_map=True)
        vector_NE = None if info.store else np.lib.format.open_memmap(data / "vectors.npy", mode="r")
        broken = [BrokenFile(**json.loads(line)) for line in (data / "broken.jsonl").read_text().splitlines()]
        if files.schema != SCHEMA or len(files) != info.files or len(broken) != info.broken:
            raise ValueError("its tables do not have what index.json says")
        expected = (info.files, info.width), info.vectors
        if vector_NE is not None and (vector_NE.shape, vector_NE.dtype.name) != expected:
            raise ValueError(f"its vectors are {vector_NE.dtype} {vector_NE.shape}")
    except FileNotFoundError as error:
        raise NegjaxError(
            f"{folder} is no index ({error.filename} is missing): make one with `negjax index`"
        ) from error
    except (OSError, pa.ArrowException, *MALFORMED_CONTENT) as error:
        reason = " ".join(str(error).split())[:200]
        raise NegjaxError(f"the index {folder} is damaged ({reason}): remove it and index again") from error
    return FileIndex(folder, info, files, vector_NE, broken)


def has_index(path: epath.PathLike) -> bool:
    """Whether a folder holds a complete index."""
    return (Path(to_local_path(path)) / "index.json").exists()


def write_index(
    path: Path,
    info: dict[str, Any],
    files: Sequence[FoundFile],
    sha256_N: Sequence[bytes],
    broken: Sequence[BrokenFile],
    vector_blocks: Iterable[np.ndarray] | None,
) -> FileIndex:
    """Writes an index, complete or not at all, and removes the data of an earlier one.

    Args:
        path: its folder.
        info: all of `IndexInfo` that does not follow from the rest.
        files: the files, sorted by path.
        sha256_N: of each.
        broken: files that cannot be decoded.
        vector_blocks: the embeddings in blocks [n, E], in order; not read where they are written already; None where
            a store has them.

    Raises:
        NegjaxError: it cannot be written.
    """
    columns = [
        [file.path for file in files],
        [file.size for file in files],
        [file.mtime_ns for file in files],
        sha256_N,
    ]
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA)], schema=SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    rows = sink.getvalue().to_pybytes()
    broken_lines = "".join(json.dumps(asdict(file)) + "\n" for file in broken).encode()
    model = json.dumps([info["model"], info["vectors"], info["store"]], sort_keys=True).encode()
    data = f"data-{hashlib.sha256(b''.join((model, rows, broken_lines))).hexdigest()[:16]}"
    complete = IndexInfo(**info, files=len(files), broken=len(broken), data=data)
    if not (path / data).is_dir():
        try:
            with temporary_beside(epath.Path(path / data), folder=True) as temporary:
                write_atomic(temporary / "files.parquet", rows)
                write_atomic(temporary / "broken.jsonl", broken_lines)
                if vector_blocks is not None:
                    _write_vectors(temporary / "vectors.npy", complete, vector_blocks)
                temporary.replace(epath.Path(path / data))
        except OSError as error:
            raise NegjaxError(f"cannot write {path / data}: {error.strerror}") from error
    write_atomic(path / "index.json", json.dumps(asdict(complete), indent=2) + "\n")
    for other in path.iterdir():
        if _DATA.fullmatch(other.name) and other.name != data:
            epath.Path(other).rmtree()
    return open_index(path)


def _write_vectors(path: epath.Path, info: IndexInfo, vector_blocks: Iterable[np.ndarray]) -> None:
    """Writes the embeddings as NumPy's file, block by block."""
    with open_atomic(path) as file:
        header = {"descr": f"<f{np.dtype(info.vectors).itemsize}", "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header | {"shape": (info.files, info.width)})
        for vector_BE in vector_blocks:
            file.write(np.ascontiguousarray(vector_BE, info.vectors).data)
