"""Makes an index of a folder, or brings it up to date: what is new is embedded once, in chunks that survive a kill.

Shapes: N files of the index, n of a chunk, E embedding width.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.embed.cache import weights_key
from negjax.evaluation.embed.encode import model_on_devices
from negjax.evaluation.media import VideoSampling
from negjax.models.architecture import to_dict
from negjax.models.loaded import LoadedModel
from negjax.runtime.locks import lock_folder
from negjax.runtime.paths import to_local_path
from negjax.runtime.progress import track_progress
from negjax.search.embed_files import EmbeddingSource, embed_files
from negjax.search.found_files import FoundFile, FoundFiles, find_files
from negjax.search.index_folder import VECTOR_TYPES, BrokenFile, FileIndex, has_index, open_index, write_index
from negjax.search.journal import IndexedFile, Journal
from negjax.search.stored_files import StoredFiles
from negjax.search.stores.store import StoreAddress, StoredRow, in_batches
from negjax.search.stores.table import open_store

BATCHES_OF_CHUNK = 4  # a kill loses the work of one chunk at most
COPY_ROWS = 8192  # embeddings that are copied at a time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IndexChanges:
    """What changed in an index.

    Attributes:
        index: the index.
        added: files that are new, or changed.
        moved: files whose content was indexed under another path, also copies.
        removed: paths that are gone.
        unchanged: files that were not read again.
        found: what lies below the folder.
    """

    index: FileIndex
    added: int
    moved: int
    removed: int
    unchanged: int
    found: FoundFiles


def describe_model(model: LoadedModel, video: VideoSampling) -> dict[str, Any]:
    """What decides a model's embeddings, however it was loaded and wherever it runs; JSON-able."""
    architecture = to_dict(model.config)
    del architecture["name"]
    settings = json.loads(json.dumps(asdict(model.preprocess)))  # with lists for tuples, as it is read again
    key = weights_key(model.params, architecture)
    return {"arch": model.config.name, "sha256": key, "preprocess": settings, "video": asdict(video)}


def _check_place(index: FileIndex, store: StoreAddress | None) -> None:
    """Raises NegjaxError unless the vectors of an index are where they are asked for; None for beside it."""
    if index.info.store != (None if store is None else asdict(store)):
        there = index.store_address()
        raise NegjaxError(
            f"the index {index.path} has its vectors in "
            + (f"{there}: give --store {there.kind} {there.uri} --table {there.table}" if there else "its own folder")
            + ", or index into another folder"
        )


def check_model(index: FileIndex, description: dict[str, Any]) -> None:
    """Raises NegjaxError unless an index is of the model of this description."""
    differing = [name for name, value in index.info.model.items() if description.get(name) != value]
    if set(differing) - {"arch"}:
        raise NegjaxError(
            f"the index {index.path} was made with another model or other settings ({', '.join(differing)} differ): "
            "give that model, or index into another folder"
        )


def build_index(
    folder: epath.PathLike,
    model: LoadedModel,
    load: dict[str, Any],
    out: epath.PathLike,
    *,
    batch_size: int = 256,
    video: VideoSampling = VideoSampling(preprocess="clip"),
    vectors: str = "float32",
    retry_broken: bool = False,
    store: StoreAddress | None = None,
    progress: bool = True,
) -> IndexChanges:
    """Indexes the images and clips below a folder.

    A file whose size and time of modification did not change is not read; one whose content was embedded before, under
    this path or another, is not embedded. A run that was killed is resumed by the same call, with the same result to
    the byte.

    Args:
        folder: the folder.
        model: the model to embed with; all devices are used.
        load: how the model is loaded, the arguments of `negjax.weights.read.read_model`, kept in the index.
        out: the folder of the index, new or of an earlier index with the same model.
        batch_size: frames in a batch over all devices.
        video: how clips are sampled.
        vectors: type of the stored vectors, one of VECTOR_TYPES.
        retry_broken: read unchanged files again that could not be decoded.
        store: where the vectors are written instead of the folder of the index, as float32.
        progress: show a bar.

    Raises:
        NegjaxError: the folder cannot be read, the index is of another model, in use or cannot be written, or the
            store refuses.
    """
    if vectors not in VECTOR_TYPES:
        raise NegjaxError(f"unknown type of vectors {vectors!r}; choose one of {', '.join(VECTOR_TYPES)}")
    if store is not None and vectors != "float32":
        raise NegjaxError(f"--vectors {vectors} is for the array of an index: a store has its own type, leave it out")
    root, path = Path(to_local_path(folder)).absolute(), Path(to_local_path(out))
    if not root.is_dir():
        raise NegjaxError(f"folder {folder} not found: give the folder that holds the images")
    found = find_files(root)
    description = describe_model(model, video)
    path.mkdir(parents=True, exist_ok=True)
    with lock_folder(path, f"{path} is in use by another `negjax index`"):
        old = open_index(path) if has_index(path) else None
        if old is not None:
            check_model(old, description)
            _check_place(old, store)
        identity = [description, str(root)] if store is None else [description, str(root), asdict(store)]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        journal = Journal(path / f"unfinished-{key}")
        indexed = _Indexed(old, journal, retry_broken)
        with _stored_files(store, str(root), description, model.config.embed_dim) as stored:
            todo = [file for file in found.files if not indexed.has(file, stored)]
            source = EmbeddingSource(model_on_devices(model), root, video, batch_size)
            with track_progress(len(todo), "files", progress and len(todo) > 0) as done:
                for _, chunk in in_batches(todo, BATCHES_OF_CHUNK * batch_size):
                    files, vector_nE = embed_files(source, chunk, stored.contents if stored else indexed.places)
                    if stored is not None:  # before the journal: after a kill in between, nothing is added twice
                        stored.add(files, vector_nE)
                        vector_nE = vector_nE[:0]
                    journal.add(files, vector_nE)
                    indexed.add_chunk(files, journal.chunks)
                    done(len(chunk))
            info = {"folder": str(root), "width": model.config.embed_dim, "vectors": vectors, "load": load}
            info |= {"model": description, "store": None if store is None else asdict(store)}
            index = _write(path, info, found.files, indexed, old, journal, stored)
        journal.remove()
        for other in path.glob("unfinished-*"):
            epath.Path(other).rmtree()
    return _count_changes(index, old, found)


class _Indexed:
    """What is known of files and contents.

    Attributes:
        known: the files that need not be read.
        places: sha256 of a content -> where its embedding is: 0 for the old index, or a chunk counted from 1; and its
            row there.
    """

    def __init__(self, old: FileIndex | None, journal: Journal, retry_broken: bool):
        self.known: dict[FoundFile, bytes | BrokenFile] = {}
        self.places: dict[bytes, tuple[int, int]] = {}
        if old is not None:
            columns = [old.files[name].to_pylist() for name in ("path", "size", "mtime_ns", "sha256")]
            for row, (name, size, mtime_ns, sha256) in enumerate(zip(*columns)):
                self.known[FoundFile(name, size, mtime_ns)] = sha256
                self.places.setdefault(sha256, (0, row))
            if not retry_broken:
                for file in old.broken:
                    self.known[FoundFile(file.path, file.size, file.mtime_ns)] = file
        for chunk, files in enumerate(journal.read(), 1):
            self.add_chunk(files, chunk)

    def has(self, file: FoundFile, stored: StoredFiles | None) -> bool:
        """Whether a file need not be read: it is known, and its row is in the store, where there is one."""
        what = self.known.get(file)
        if stored is None or what is None or isinstance(what, BrokenFile):
            return what is not None
        return stored.has(file.path, what)

    def add_chunk(self, files: Sequence[IndexedFile], chunk: int) -> None:
        """Adds the files of a chunk. chunk: counted from 1."""
        for each in files:
            if each.row is not None:
                self.places[each.sha256] = chunk, each.row
            file = each.file
            broken = BrokenFile(file.path, file.size, file.mtime_ns, each.error)
            self.known[file] = broken if each.error else each.sha256


@contextmanager
def _stored_files(
    store: StoreAddress | None, folder: str, description: dict[str, Any], width: int
) -> Iterator[StoredFiles | None]:
    """The rows of the store; None for none."""
    if store is None:
        yield None
        return
    with closing(open_store(store, folder, description, width, create=True)) as opened:
        yield StoredFiles(opened)


def _write(
    path: Path,
    info: dict[str, Any],
    found: Sequence[FoundFile],
    indexed: _Indexed,
    old: FileIndex | None,
    journal: Journal,
    stored: StoredFiles | None,
) -> FileIndex:
    """Writes the index of the found files from what is known of them."""
    files: list[FoundFile] = []
    hashes: list[bytes] = []
    broken: list[BrokenFile] = []
    for file in found:
        what = indexed.known[file]
        if isinstance(what, BrokenFile):
            broken.append(what)
        else:
            files.append(file)
            hashes.append(what)
    if stored is not None:
        stored.keep_only(StoredRow(file.path, sha256) for file, sha256 in zip(files, hashes))
        return write_index(path, info, files, hashes, broken, None)
    place_N2 = np.array([indexed.places[sha256] for sha256 in hashes], np.int64).reshape(-1, 2)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(files), COPY_ROWS):
            place_n2 = place_N2[start : start + COPY_ROWS]
            vector_nE = np.empty((len(place_n2), info["width"]), np.float32)
            for source in np.unique(place_n2[:, 0]):
                chosen = np.flatnonzero(place_n2[:, 0] == source)
                from_NE = old.vector_NE if old is not None and source == 0 else journal.vectors(int(source) - 1)
                vector_nE[chosen] = from_NE[place_n2[chosen, 1]]
            yield vector_nE

    return write_index(path, info, files, hashes, broken, blocks())


def _count_changes(index: FileIndex, old: FileIndex | None, found: FoundFiles) -> IndexChanges:
    """Compares an index with an earlier one."""
    if old is not None and index.files.equals(old.files):
        return IndexChanges(index, 0, 0, 0, len(index.files), found)
    old_rows = [] if old is None else list(zip(old.files["path"].to_pylist(), old.files["sha256"].to_pylist()))
    before, old_hashes = dict(old_rows), {sha256 for _, sha256 in old_rows}
    added = moved = 0
    now = list(zip(index.files["path"].to_pylist(), index.files["sha256"].to_pylist()))
    for path, sha256 in now:
        if before.get(path) != sha256:
            moved += sha256 in old_hashes
            added += sha256 not in old_hashes
    removed = len(before.keys() - {path for path, _ in now})
    return IndexChanges(index, added, moved, removed, len(now) - added - moved, found)
