"""Embeddings on disk: what a model once made of a picture or a caption is never computed again.

Below the cache's folder each model (weights, architecture, types, preprocessing) has a folder of its own, and each
entry is found by the content it was made of. A changed weight or pixel thus never finds an old entry. Embeddings are
added in blocks, each complete or not there at all, so an evaluation that dies goes on where it was.

CACHE/KEY/BLOCK.vectors.npy   float32 [n, E]
CACHE/KEY/BLOCK.keys.npy      [n] of (sha256 of the content, crc32 of the vector); it makes the block valid
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

BLOCK = 8192  # embeddings in a block
SECONDS = 20.0  # and at most so much work is lost
ENTRY = np.dtype([("key", "S64"), ("crc", np.uint32)])

logger = logging.getLogger(__name__)


class Cache:
    """The embeddings of one model below `folder`; with no folder, nothing is found and nothing kept.

    What cannot be read or written costs time, not the evaluation: it is told, and done without.
    """

    def __init__(self, folder: epath.PathLike | None, key: str):
        self._folder = epath.Path(folder) / key[:32] if folder is not None else None
        self._keys: list[bytes] = []
        self._vectors: list[np.ndarray] = []
        self._flushed = time.monotonic()

    def find(self, keys: Sequence[str], width: int) -> tuple[np.ndarray, np.ndarray]:
        """Which keys are here [N], and the embeddings [N, E] with zeros for the others; a damaged entry is not here.

        width: E of this model.
        """
        places = {key.encode(): place for place, key in enumerate(keys)}
        known_N, vector_NE = np.zeros(len(keys), bool), np.zeros((len(keys), width), np.float32)
        for block in self._blocks():
            try:
                with block.open("rb") as file:
                    entries = np.load(file, allow_pickle=False)
                wanted = [(n, places[key]) for n, key in enumerate(entries["key"].tolist()) if key in places]
                if not wanted:
                    continue
                with (block.parent / block.name.replace(".keys.", ".vectors.")).open("rb") as file:
                    vectors = np.load(file, allow_pickle=False)
                if vectors.shape != (len(entries), width):
                    raise ValueError(f"its vectors are {vectors.shape}, not {(len(entries), width)}")
                for n, place in wanted:
                    if zlib.crc32(vectors[n].tobytes()) != entries["crc"][n]:
                        raise ValueError(f"entry {n} was altered")
                    known_N[place], vector_NE[place] = True, vectors[n]
            except Exception as error:  # whatever NumPy makes of a file that is cut or altered
                logger.warning("%s is damaged (%s): what it held is computed again", block, error)
        return known_N, vector_NE

    def add(self, keys: Sequence[str], vector_NE: np.ndarray) -> None:
        """Takes embeddings in; they are on disk after `flush`, or once there are enough of them."""
        if self._folder is None:
            return
        self._keys += [key.encode() for key in keys]
        self._vectors.append(vector_NE)
        if len(self._keys) >= BLOCK or time.monotonic() - self._flushed > SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken in; where that fails, nothing more is kept."""
        if self._folder is not None and self._keys:
            vector_NE = np.concatenate(self._vectors).astype(np.float32)
            crcs = [zlib.crc32(vector.tobytes()) for vector in vector_NE]
            name = uuid.uuid4().hex
            try:
                _save(self._folder / f"{name}.vectors.npy", vector_NE)
                _save(self._folder / f"{name}.keys.npy", np.array(list(zip(self._keys, crcs)), ENTRY))
            except NegjaxError as error:
                logger.warning("%s: embeddings are not kept from here on", error)
                self._folder = None
        self._keys, self._vectors, self._flushed = [], [], time.monotonic()

    def _blocks(self) -> list[epath.Path]:
        if self._folder is None or not self._folder.is_dir():
            return []
        try:
            return sorted(path for path in self._folder.iterdir() if path.name.endswith(".keys.npy"))
        except OSError as error:
            logger.warning("cannot read %s (%s): what it holds is computed again", self._folder, error.strerror)
            return []


def model_key(model: LoadedModel) -> str:
    """sha256 of all that decides a model's embeddings of given pixels and tokens: weights, architecture, types."""
    said = {
        "arch": to_dict(model.config),
        "compute": asdict(model.compute),
        "backend": jax.default_backend(),
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.params):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def content_key(model: str, said: Any) -> str:
    """sha256 of a model's key and of what else decides its embeddings, JSON-able."""
    return hashlib.sha256(json.dumps([model, said], sort_keys=True).encode()).hexdigest()


def _save(path: epath.Path, array: np.ndarray) -> None:
    with open_atomic(path) as file:
        np.save(file, array, allow_pickle=False)
