"""The cache of embeddings on disk: a model never embeds the same media or text twice.

Each model (weights, architecture, compute types) with its preprocessing has a folder below the cache's, and each
embedding is found by the sha256 of what was embedded. A changed weight or pixel therefore never finds an old entry.
Embeddings are added in blocks, each complete or absent, so that a stopped evaluation can be resumed.

CACHE/KEY/BLOCK.vectors.npy   float32 [n, E]
CACHE/KEY/BLOCK.keys.npy      [n] of (sha256 of the content, crc32 of KEY, this sha256 and the vector); written last:
                              the block is complete

Shapes: N keys, E embedding width.
"""

import hashlib
import json
import logging
import time
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import to_dict
from negjax.models.loaded import LoadedModel
from negjax.runtime.files import open_atomic
from negjax.runtime.temporary import remove_abandoned

BLOCK_SIZE = 8192  # embeddings in a block
_TEMPORARIES = r"\.[0-9a-f]{32}\.(keys|vectors)\.npy\.[0-9a-f]{8}\.tmp"  # which killed processes leave
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
                with (block.parent / block.name.replace(".keys.", ".vectors.")).open("rb") as file:
                    vectors = np.load(file, allow_pickle=False)
                if vectors.shape != (len(entries), width) or vectors.dtype != np.dtype("<f4"):  # ">f4" is a bit away
                    raise ValueError(f"its vectors are {vectors.dtype} {vectors.shape}, not {(len(entries), width)}")
                for n, index in hits:
                    if self._crc32(entries["key"][n], vectors[n]) != entries["crc32"][n]:
                        raise ValueError(f"entry {n} was altered, or is of another content or model")
                    found_N[index], vector_NE[index] = True, vectors[n]
            except Exception as error:  # NumPy raises many types for a truncated or altered file
                logger.warning("%s is not used (%s): its embeddings are computed again", block, error)
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
                remove_abandoned(self._folder, _TEMPORARIES)
                _save(self._folder / f"{name}.vectors.npy", vector_NE)
                _save(self._folder / f"{name}.keys.npy", np.array(list(zip(self._keys, crcs)), ENTRY))
            except NegjaxError as error:
                logger.warning("%s: embeddings are not kept from here on", error)
                self._folder = None
        self._keys, self._vectors, self._flushed = [], [], time.monotonic()

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
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def content_key(key: str, settings: Any) -> str:
    """sha256 of a model's key and of the other settings (JSON-able) that determine its embeddings."""
    return hashlib.sha256(json.dumps([key, settings], sort_keys=True).encode()).hexdigest()


def _save(path: epath.Path, array: np.ndarray) -> None:
    with open_atomic(path) as file:
        np.save(file, array, allow_pickle=False)
