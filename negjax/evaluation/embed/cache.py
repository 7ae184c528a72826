"""The cache of embeddings on disk: a model never embeds the same media or text twice.

Each model (weights, architecture, compute types) with its preprocessing has a folder below the cache's, and each
embedding is found by the sha256 of what was embedded. A changed weight or pixel therefore never finds an old entry.
Embeddings are added in blocks, each complete or absent, so that a stopped evaluation can be resumed. What killed
processes left in the folder of any model is removed by the next one that writes; a block that cannot be used is removed
once its embeddings are computed again.

CACHE/KEY/BLOCK.vectors.npy   float32 [n, E]
CACHE/KEY/BLOCK.keys.npy      [n] of (sha256 of the content, crc32 of KEY, this sha256 and the vector); written last:
                              the block is complete

Shapes: N keys, E embedding width.
"""

import hashlib
import json
import logging
import re
import time
import uuid
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import to_dict
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel
from negjax.runtime.files import open_atomic
from negjax.runtime.paths import is_local
from negjax.runtime.temporary import remove_abandoned

BLOCK_SIZE = 8192  # embeddings in a block
_MODEL_FOLDER = r"[0-9a-f]{32}"
_VECTORS = re.compile(r"[0-9a-f]{32}\.vectors\.npy")
_TEMPORARIES = r"\.[0-9a-f]{32}\.(keys|vectors)\.npy\.[0-9a-f]{8}\.tmp"  # which killed processes leave
_DAY = 24 * 3600  # seconds
FLUSH_SECONDS = 20.0  # of work that a stop loses at most
ENTRY = np.dtype([("key", "S64"), ("crc32", np.uint32)])

logger = logging.getLogger(__name__)


class EmbeddingCache:
    """The embeddings of one model. Files that cannot be read or written are logged, and their content is recomputed."""

    def __init__(self, folder: epath.PathLike | None, key: str):
        """Sets up the cache; creates nothing.

        Args:
            folder: the cache's folder; None for a cache that keeps nothing.
            key: key of the model and its preprocessing, from `content_key`.
        """
        self._folder = epath.Path(folder) / key[:32] if folder is not None else None
        self._model_key = key.encode()
        self._keys: list[bytes] = []
        self._vectors: list[np.ndarray] = []
        self._flushed = time.monotonic()
        self._unusable: list[epath.Path] = []
        self._cleaned = False

    def find(self, keys: Sequence[str], width: int) -> tuple[np.ndarray, np.ndarray]:
        """Looks embeddings up.

        Args:
            keys: sha256 of each content.
            width: the model's embedding width.

        Returns:
            Which keys were found [N], and the embeddings [N, E], zeros for the others. A damaged entry is not found.
        """
        index_of = {key.encode(): index for index, key in enumerate(keys)}
        found_N, vector_NE = np.zeros(len(keys), bool), np.zeros((len(keys), width), np.float32)
        for block in self._blocks():
            try:
                with block.open("rb") as file:
                    entries = np.load(file, allow_pickle=False)
                if entries.dtype != ENTRY:
                    raise ValueError(f"its entries are of type {entries.dtype}")
                hits = [(n, index_of[key]) for n, key in enumerate(entries["key"].tolist()) if key in index_of]
                if not hits:
                    continue
                with _vectors_of(block).open("rb") as file:
                    vectors = np.load(file, allow_pickle=False)
                if vectors.shape != (len(entries), width) or vectors.dtype != np.dtype("<f4"):  # ">f4" is a bit away
                    raise ValueError(f"its vectors are {vectors.dtype} {vectors.shape}, not {(len(entries), width)}")
                for n, index in hits:
                    if self._crc32(entries["key"][n], vectors[n]) != entries["crc32"][n]:
                        raise ValueError(f"entry {n} was altered, or is of another content or model")
                    found_N[index], vector_NE[index] = True, vectors[n]
            except Exception as error:  # NumPy raises many types for a truncated or altered file
                logger.warning("%s is not used (%s): its embeddings are computed again", block, error)
                if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):  # else it may be read later
                    self._unusable.append(block)
        return found_N, vector_NE

    def add(self, keys: Sequence[str], vector_NE: np.ndarray) -> None:
        """Adds embeddings; they are on disk after `flush`, or when enough have been added."""
        if self._folder is None:
            return
        self._keys += [key.encode() for key in keys]
        self._vectors.append(vector_NE)
        if len(self._keys) >= BLOCK_SIZE or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes the added embeddings; after a failure nothing more is kept."""
        if self._folder is not None and self._keys:
            vector_NE = np.concatenate(self._vectors).astype(np.float32)
            crcs = [self._crc32(key, vector_E) for key, vector_E in zip(self._keys, vector_NE)]
            name = uuid.uuid4().hex
            try:
                if not self._cleaned:
                    _remove_leftovers(self._folder.parent)
                    self._cleaned = True
                _save(self._folder / f"{name}.vectors.npy", vector_NE)
                _save(self._folder / f"{name}.keys.npy", np.array(list(zip(self._keys, crcs)), ENTRY))
                self._remove_unusable()
            except NegjaxError as error:
                logger.warning("%s: embeddings are not kept from here on", error)
                self._folder = None
        self._keys, self._vectors, self._flushed = [], [], time.monotonic()

    def _remove_unusable(self) -> None:
        for block in self._unusable:
            with suppress(OSError):
                block.unlink(missing_ok=True)
                _vectors_of(block).unlink(missing_ok=True)
        self._unusable = []

    def _crc32(self, key: bytes, vector_E: np.ndarray) -> int:
        """The checksum of an entry, which depends on what it is the embedding of."""
        return zlib.crc32(self._model_key + key + vector_E.tobytes())

    def _blocks(self) -> list[epath.Path]:
        """The key files of all blocks."""
        if self._folder is None or not self._folder.is_dir():
            return []
        try:
            return sorted(path for path in self._folder.iterdir() if path.name.endswith(".keys.npy"))
        except OSError as error:
            logger.warning("cannot read %s (%s): its embeddings are computed again", self._folder, error.strerror)
            return []


def model_key(model: LoadedModel) -> str:
    """sha256 of all that determines a model's embeddings: weights, architecture, compute types and backend."""
    architecture = to_dict(model.config)
    del architecture["family"]  # it changes no embedding, and caches of earlier versions have keys without it
    settings = {
        "arch": architecture,
        "compute": asdict(model.compute),
        "backend": jax.default_backend(),
    }
    return weights_key(model.params, settings)


def weights_key(params: Params, settings: Any) -> str:
    """sha256 of settings (JSON-able) and of all parameters, their names and types."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def content_key(key: str, settings: Any) -> str:
    """sha256 of a model's key and of the other settings (JSON-able) that determine its embeddings."""
    return hashlib.sha256(json.dumps([key, settings], sort_keys=True).encode()).hexdigest()


def _vectors_of(keys: epath.Path) -> epath.Path:
    """The file of a block's vectors. keys: the file of its keys."""
    return keys.parent / keys.name.replace(".keys.", ".vectors.")


def _remove_leftovers(cache: epath.Path) -> None:
    """Removes what killed processes left in a local cache: temporary files, and vectors whose keys never came."""
    if not is_local(cache) or not cache.is_dir():
        return
    for folder in cache.iterdir():
        if not re.fullmatch(_MODEL_FOLDER, folder.name):
            continue
        with suppress(OSError):  # a folder of another user, or one that another process removes
            remove_abandoned(folder, _TEMPORARIES)
            names = {path.name for path in folder.iterdir()}
            orphans = [n for n in names if _VECTORS.fullmatch(n) and n.replace(".vectors.", ".keys.") not in names]
            if orphans:  # of another process, the keys may be about to be written
                remove_abandoned(folder, "|".join(map(re.escape, orphans)), _DAY)


def _save(path: epath.Path, array: np.ndarray) -> None:
    with open_atomic(path) as file:
        np.save(file, array, allow_pickle=False)
