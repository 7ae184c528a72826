"""Embeds distinct media and texts in batches of few shapes, over the devices of all processes.

Every process calls these functions with the same data and loads its own rows of each batch; all get all embeddings.
Shapes: N media or texts, K batches (of packed texts: slots of a row), B batch, F frames, T tokens, U distinct rows of
token ids, R packed rows, E embedding width, P parts of a batch, G media of a part.
"""

import dataclasses
import math
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
from negjax.evaluation.media import MediaReader
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel
from negjax.models.packing import PackedTexts, assign_rows, can_pack, pack
from negjax.models.text import lengths
from negjax.negation.scorer import SteeredText
from negjax.runtime.mesh import local_row_indices, make_mesh, put_batch, replicated
from negjax.runtime.sharding import device_put_tree

# Texts that cannot be packed are cut to these lengths, or to the context: each compiles once.
LENGTH_BUCKETS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
READ_TOGETHER = 8  # media, by a thread: Grain looks at all that is read ahead for each that it hands out
MAX_IN_FLIGHT = 2  # batches that are dispatched but not fetched

# Indices [b] of the items of a batch, the place of each in what is computed for it, and this.
_Dispatched = Iterator[tuple[np.ndarray, np.ndarray, tuple[jax.Array, ...]]]
EncodedBatches = Iterator[tuple[np.ndarray, np.ndarray]]  # indices [b], and embeddings float32 [b, E], unit length


def encode_media(model: LoadedModel, media: MediaReader, index_N: np.ndarray, batch_size: int) -> EncodedBatches:
    """Embeds media batch by batch; the embedding of a clip is the mean of its frames' unit-length embeddings.

    Media are decoded in threads, two batches ahead.

    Args:
        model: from `model_on_devices`.
        media: the images or clips.
        index_N: indices of the media to embed; -1 for a blank one, whose embedding means nothing.
        batch_size: frames in a batch, over all devices.

    Raises:
        NegjaxError: an image or clip cannot be decoded.
    """
    mesh = _mesh(model)
    size = _round_up(min(max(1, batch_size // media.frames), len(index_N)), mesh)
    local = local_row_indices(mesh, size, "the batch")
    together, threads = math.gcd(len(local), READ_TOGETHER), os.cpu_count() or 1
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(threads, 2 * len(local) // together))
    padded_KB = np.pad(index_N, (0, -len(index_N) % size), constant_values=-1).reshape(-1, size)
    stream = grain.MapDataset.source(padded_KB[:, local].ravel().tolist())
    read = stream.map(lambda index: media.blank() if index < 0 else media.read(index)).batch(together)
    parts = read.to_iter_dataset(options).batch(len(local) // together)

    def batches() -> _Dispatched:
        for start, (pixels_PGFHWC, count_PG) in zip(range(0, len(index_N), size), parts):
            pixels, count = put_batch(mesh, (pixels_PGFHWC.reshape(-1, *pixels_PGFHWC.shape[3:]), count_PG.ravel()))
            index_B = index_N[start : start + size]
            yield index_B, np.arange(len(index_B)), (model.encode_pixels(pixels), count)

    def finish(frame_BE: np.ndarray, count_B: np.ndarray) -> np.ndarray:
        frame_BFE = unit_rows(frame_BE).reshape(len(count_B), media.frames, -1)
        if media.frames == 1:
            return frame_BFE[:, 0]
        present_BF = np.arange(media.frames) < count_B[:, None]
        return unit_rows(np.where(present_BF[..., None], frame_BFE, 0).sum(axis=1))

    return _fetch(batches(), finish, mesh)


def encode_texts(
    model: LoadedModel,
    token_UT: np.ndarray,
    index_N: np.ndarray,
    batch_size: int,
    steered: SteeredText | None = None,
) -> EncodedBatches:
    """Embeds rows of token ids batch by batch, with little padding: the result is the same.

    Args:
        model: from `model_on_devices`.
        token_UT: token ids.
        index_N: the rows to embed.
        batch_size: texts in a batch, over all devices; about as many where several share a row.
        steered: how the tower is steered, of any of the texts; None for not at all.
    """
    if steered is not None:
        return _fetch(_trimmed_batches(model, token_UT, index_N, batch_size, steered), unit_rows, _mesh(model))
    batches = _packed_batches if can_pack(model.config.text) else _trimmed_batches
    return _fetch(batches(model, token_UT, index_N, batch_size), unit_rows, _mesh(model))


def _packed_batches(model: LoadedModel, token_UT: np.ndarray, index_N: np.ndarray, batch_size: int) -> _Dispatched:
    """Batches of one shape, whose rows hold several texts each."""
    mesh, width = _mesh(model), model.config.text.context_length
    length_N = lengths(model.config.text, token_UT[index_N])
    row_N, rows = assign_rows(length_N, width)
    size = _round_up(-(-rows * min(batch_size, len(index_N)) // len(index_N)), mesh)  # rows of a batch
    local = local_row_indices(mesh, size, "the batch")
    order_N = np.argsort(row_N, kind="stable")
    for start in range(0, rows, size):
        first, last = np.searchsorted(row_N[order_N], (start, start + size))
        chosen = order_N[first:last]
        index_B = index_N[chosen]
        texts, slot_B = pack(token_UT[index_B], length_N[chosen], row_N[chosen] - start, size, width)
        own = PackedTexts(texts.token_RT[local], texts.end_RK[local])
        embedding_RKE = model.encode_packed(put_batch(mesh, own))
        yield index_B, slot_B, (embedding_RKE.reshape(-1, embedding_RKE.shape[-1]),)


def _trimmed_batches(
    model: LoadedModel,
    token_UT: np.ndarray,
    index_N: np.ndarray,
    batch_size: int,
    steered: SteeredText | None = None,
) -> _Dispatched:
    """Batches of texts sorted by length and cut to the longest, unless the tower attends to padding."""
    mesh = _mesh(model)
    size = _round_up(min(batch_size, len(index_N)), mesh)
    local = local_row_indices(mesh, size, "the batch")
    length_N = lengths(model.config.text, token_UT[index_N])
    order_N = np.argsort(length_N, kind="stable")
    for start in range(0, len(order_N), size):
        chosen = order_N[start : start + size]
        length = _bucket(int(length_N[chosen[-1]]), token_UT.shape[1])
        token_BT = np.zeros((size, length), token_UT.dtype)
        token_BT[: len(chosen)] = token_UT[index_N[chosen], :length]
        text_BT = put_batch(mesh, token_BT[local])
        embedding_BE = model.encode_steered(text_BT, steered) if steered else model.encode_tokens(text_BT)
        yield index_N[chosen], np.arange(len(chosen)), (embedding_BE,)


def model_on_devices(model: LoadedModel) -> LoadedModel:
    """The model with its parameters on all devices; a model that is on a mesh already (in training) is unchanged."""
    if model.mesh is not None:
        return model
    mesh = make_mesh()

    def gather(leaf: Any) -> Any:
        sharded = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable  # trained by several processes
        return process_allgather(leaf, tiled=True) if sharded else leaf

    params: Params = jax.tree.map(lambda leaf: device_put_tree(gather(leaf), replicated(mesh)), model.params)
    return dataclasses.replace(model, params=params, mesh=mesh)


def _mesh(model: LoadedModel) -> Mesh:
    if model.mesh is None:
        raise ValueError("the model must come from model_on_devices()")
    return model.mesh


def _fetch(batches: _Dispatched, finish: Callable[..., np.ndarray], mesh: Mesh) -> EncodedBatches:
    """Fetches results while later batches run, and takes what belongs to an item from them."""
    gather = _gather(mesh)
    waiting: deque[tuple[np.ndarray, np.ndarray, tuple[jax.Array, ...]]] = deque()

    def collect() -> tuple[np.ndarray, np.ndarray]:
        index_B, place_B, arrays = waiting.popleft()
        return index_B, finish(*(np.asarray(array) for array in arrays))[place_B]

    for index_B, place_B, arrays in batches:
        waiting.append((index_B, place_B, gather(*arrays)))
        if len(waiting) > MAX_IN_FLIGHT:
            yield collect()
    while waiting:
        yield collect()


@cache
def _gather(mesh: Mesh) -> Callable[..., tuple[jax.Array, ...]]:
    """A function that gives every process all rows of arrays."""
    return jax.jit(lambda *arrays: arrays, out_shardings=replicated(mesh))


def _bucket(length: int, context_length: int) -> int:
    return min([bucket for bucket in LENGTH_BUCKETS if bucket >= length] + [context_length])


def _round_up(batch_size: int, mesh: Mesh) -> int:
    """The next multiple of the number of devices."""
    return -(-batch_size // mesh.size) * mesh.size
