"""Distinct media and captions to embeddings, in batches of few shapes, over the devices of all processes.

Every process calls these functions with the same plan and loads its own rows of each batch; all get all embeddings.
Shapes: N media or captions, K batches, B batch, F frames, T tokens, E embedding width.
"""

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import grain
import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import Mesh

from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.plan import Media
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel
from negjax.models.text import lengths
from negjax.runtime.mesh import local_row_indices, make_mesh, put_batch, replicated
from negjax.runtime.sharding import device_put_tree

LENGTHS = (8, 16, 24, 32, 48, 64)  # captions are cut to these, or to the context: each length compiles once
IN_FLIGHT = 2  # batches that the device may be behind the host

Embedded = Iterator[tuple[np.ndarray, np.ndarray]]  # places [b] and their embeddings, float32 [b, E], of unit length


def encode_media(model: LoadedModel, media: Media, place_N: np.ndarray, batch_size: int) -> Embedded:
    """Embeddings of the media at these places, batch by batch: a clip's is the mean over its frames' (unit) ones.

    Media are decoded in threads, two batches ahead. batch_size: frames in a batch, over all devices. model: from
    `placed`. Raises NegjaxError for what cannot be decoded.
    """
    mesh = _mesh(model)
    size = _round_up(min(max(1, batch_size // media.frames), len(place_N)), mesh)
    here = local_row_indices(mesh, size, "the batch")
    options = grain.ReadOptions(num_threads=os.cpu_count() or 1, prefetch_buffer_size=2 * len(here))
    padded_KB = np.pad(place_N, (0, -len(place_N) % size), constant_values=-1).reshape(-1, size)
    stream = grain.MapDataset.source(padded_KB[:, here].ravel().tolist())
    read = stream.map(lambda index: media.empty() if index < 0 else media.read(index)).to_iter_dataset(options)

    def batches() -> Iterator[tuple[np.ndarray, tuple[jax.Array, jax.Array]]]:
        for start, (pixels_BFHWC, count_B) in zip(range(0, len(place_N), size), read.batch(len(here))):
            pixels, count = put_batch(mesh, (pixels_BFHWC.reshape(-1, *pixels_BFHWC.shape[2:]), count_B))
            yield place_N[start : start + size], (model.encode_image(pixels), count)

    def finish(frame_BE: np.ndarray, count_B: np.ndarray) -> np.ndarray:
        frame_BFE = unit_rows(frame_BE).reshape(len(count_B), media.frames, -1)
        if media.frames == 1:
            return frame_BFE[:, 0]
        seen_BF = np.arange(media.frames) < count_B[:, None]
        return unit_rows(np.where(seen_BF[..., None], frame_BFE, 0).sum(axis=1))

    return _fetch(batches(), finish, mesh)


def encode_texts(model: LoadedModel, token_CT: np.ndarray, place_N: np.ndarray, batch_size: int) -> Embedded:
    """Embeddings of the token ids at these places, batch by batch.

    Sorted by length and cut to the longest of a batch, unless the tower sees padding: the result is the same. model:
    from `placed`.
    """
    mesh = _mesh(model)
    size = _round_up(min(batch_size, len(place_N)), mesh)
    here = local_row_indices(mesh, size, "the batch")
    length_N = lengths(model.config.text, token_CT[place_N])
    order_N = np.argsort(length_N, kind="stable")

    def batches() -> Iterator[tuple[np.ndarray, tuple[jax.Array]]]:
        for start in range(0, len(order_N), size):
            chosen = order_N[start : start + size]
            length = _bucket(int(length_N[chosen[-1]]), token_CT.shape[1])
            token_BT = np.zeros((size, length), token_CT.dtype)
            token_BT[: len(chosen)] = token_CT[place_N[chosen], :length]
            yield place_N[chosen], (model.encode_text(put_batch(mesh, token_BT[here])),)

    return _fetch(batches(), unit_rows, mesh)


def placed(model: LoadedModel) -> LoadedModel:
    """The model with its parameters on all devices; one that lies on a mesh (a model in training) stays where it is."""
    if model.mesh is not None:
        return model
    mesh = make_mesh()

    def whole(leaf: Any) -> Any:
        elsewhere = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable  # in part: a model was trained here
        return process_allgather(leaf, tiled=True) if elsewhere else leaf

    params: Params = jax.tree.map(lambda leaf: device_put_tree(whole(leaf), replicated(mesh)), model.params)
    return dataclasses.replace(model, params=params, mesh=mesh)


def _mesh(model: LoadedModel) -> Mesh:
    if model.mesh is None:
        raise ValueError("the model must come from placed()")
    return model.mesh


def _fetch(
    batches: Iterator[tuple[np.ndarray, tuple[jax.Array, ...]]], finish: Callable[..., np.ndarray], mesh: Mesh
) -> Embedded:
    """Fetches results while later batches run, and throws the padding away."""
    whole = _gather(mesh)
    waiting: deque[tuple[np.ndarray, tuple[jax.Array, ...]]] = deque()

    def collect() -> tuple[np.ndarray, np.ndarray]:
        places, arrays = waiting.popleft()
        return places, finish(*(np.asarray(array) for array in arrays))[: len(places)]

    for places, arrays in batches:
        waiting.append((places, whole(*arrays)))
        if len(waiting) > IN_FLIGHT:
            yield collect()
    while waiting:
        yield collect()


@cache
def _gather(mesh: Mesh) -> Callable[..., tuple[jax.Array, ...]]:
    """Gives every process all rows of arrays."""
    return jax.jit(lambda *arrays: arrays, out_shardings=replicated(mesh))


def _bucket(length: int, context_length: int) -> int:
    return min([bucket for bucket in LENGTHS if bucket >= length] + [context_length])


def _round_up(batch_size: int, mesh: Mesh) -> int:
    return -(-batch_size // mesh.size) * mesh.size
