"""Distinct images and captions to embeddings, in batches of few shapes, over all devices of this host.

Shapes: N images or captions, B batch, T tokens, E embedding width.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from negjax.evaluation.embeddings import unit_rows
from negjax.models.clip import Params
from negjax.models.loaded import LoadedModel
from negjax.models.text import lengths
from negjax.runtime.metrics import ignore

LENGTHS = (8, 16, 24, 32, 48, 64)  # captions are cut to these, or to the context: each length compiles once
IN_FLIGHT = 2  # batches that the device may be behind the host

OnDone = Callable[[int], None]  # told the number of rows that have just been embedded


def encode_images(
    model: LoadedModel,
    batches: Iterable[np.ndarray],
    batch_size: int,
    sharding: NamedSharding,
    done: OnDone = ignore,
) -> np.ndarray:
    """Embeddings of unit length, float32 [N, E], of uint8 batches [b, S, S, 3], b <= batch_size.

    model and sharding come from `place`.
    """
    return _run(model.encode_image, batches, _round_up(batch_size, sharding), sharding, done)


def encode_texts(
    model: LoadedModel,
    token_NT: np.ndarray,
    batch_size: int,
    sharding: NamedSharding,
    done: OnDone = ignore,
) -> np.ndarray:
    """Embeddings of unit length, float32 [N, E], of token ids.

    Sorted by length and cut to the longest of a batch, unless the tower sees padding: the result is the same. model
    and sharding come from `place`.
    """
    size = _round_up(min(batch_size, len(token_NT)), sharding)
    length_N = lengths(model.config.text, token_NT)
    order_N = np.argsort(length_N, kind="stable")

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(order_N), size):
            chosen = order_N[start : start + size]
            yield token_NT[chosen, : _bucket(int(length_N[chosen[-1]]), token_NT.shape[1])]

    sorted_NE = _run(model.encode_text, batches(), size, sharding, done)
    embedding_NE = np.empty_like(sorted_NE)
    embedding_NE[order_N] = sorted_NE
    return embedding_NE


def place(model: LoadedModel) -> tuple[LoadedModel, NamedSharding]:
    """The model with its parameters on the devices, and how batches are split over them.

    Parameters that already lie on a mesh of several devices (a model in training) stay where they are.
    """
    for leaf in jax.tree.leaves(model.params):
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and sharding.mesh.size > 1:
            return model, NamedSharding(sharding.mesh, PartitionSpec(sharding.mesh.axis_names))
    mesh = Mesh(np.array(jax.local_devices()), ("data",))
    params: Params = jax.device_put(model.params, NamedSharding(mesh, PartitionSpec()))
    return dataclasses.replace(model, params=params), NamedSharding(mesh, PartitionSpec("data"))


def _run(
    encode: Callable[[jax.Array], jax.Array],
    batches: Iterable[np.ndarray],
    size: int,
    sharding: NamedSharding,
    done: OnDone,
) -> np.ndarray:
    """Runs batches padded to `size` rows, and throws the padding away."""
    waiting: deque[tuple[int, jax.Array]] = deque()
    parts: list[np.ndarray] = []

    def collect(left: int) -> None:
        while len(waiting) > left:
            rows, embedding = waiting.popleft()
            parts.append(unit_rows(np.asarray(embedding)[:rows]))
            done(rows)

    for batch in batches:
        padded = np.zeros((size, *batch.shape[1:]), batch.dtype)
        padded[: len(batch)] = batch
        waiting.append((len(batch), encode(jax.device_put(padded, sharding))))
        collect(IN_FLIGHT)
    collect(0)
    return np.concatenate(parts)


def _bucket(length: int, context_length: int) -> int:
    return min([bucket for bucket in LENGTHS if bucket >= length] + [context_length])


def _round_up(batch_size: int, sharding: NamedSharding) -> int:
    devices = sharding.mesh.size
    return -(-batch_size // devices) * devices
