"""The gradient of a batch whose activations do not fit in memory (Gao et al. 2021, "GradCache").

Objectives that compare all items of a batch are not sums over parts of it, so gradients of parts cannot just be added.
The way out: encode everything, a part at a time, and keep the embeddings alone; take the gradient of the objectives
with respect to these; then encode each part again, now with its activations, and pull that gradient back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from negjax.errors import NegjaxError

Params = Any
Inputs = Any  # a tree of arrays, each with as many rows as its embeddings
Embeddings = Any
Metrics = dict[str, jax.Array]


def cached_gradient(
    encode: Callable[[Params, Inputs], Embeddings],
    objectives: Callable[[Params, Embeddings], tuple[jax.Array, Metrics]],
    params: Params,
    inputs: Inputs,
    micro_batches: int,
    shards: int,
) -> tuple[Params, Metrics]:
    """The gradient of `objectives(params, encode(params, inputs))`, and its metrics.

    encode must treat each row by itself and without chance: it sees each row twice, among the rows of a micro-batch.
    micro_batches: into how many parts the rows are cut; memory for activations falls by this factor, and the forward
    pass is computed twice. shards: over how many devices the rows are split; each part has rows of every device, so
    that none moves. Raises NegjaxError when the rows of an input cannot be cut so.
    """
    part_inputs = _cut_all(inputs, micro_batches, shards)
    embeddings = in_parts(encode, params, inputs, micro_batches, shards)
    gradient = jax.grad(objectives, argnums=(0, 1), has_aux=True)
    (direct, by_embedding), metrics = gradient(params, embeddings)

    def add(grads: Params, part: tuple[Inputs, Embeddings]) -> tuple[Params, None]:
        rows, cotangent = part
        _, pull_back = jax.vjp(lambda params: encode(params, rows), params)
        return jax.tree.map(jnp.add, grads, pull_back(cotangent)[0]), None

    # The sum, in float32 as the parameters are, starts from what they do to the objectives directly (the logit scale).
    cotangents = jax.tree.map(lambda x: _cut(x, micro_batches, shards), by_embedding)
    grads, _ = jax.lax.scan(add, direct, (part_inputs, cotangents))
    return grads, metrics


def in_parts(
    encode: Callable[[Params, Inputs], Embeddings], params: Params, inputs: Inputs, micro_batches: int, shards: int
) -> Embeddings:
    """`encode(params, inputs)`, so many micro-batches one after the other."""
    if micro_batches == 1 or not jax.tree.leaves(inputs):
        return encode(params, inputs)
    parts = jax.lax.map(lambda part: encode(params, part), _cut_all(inputs, micro_batches, shards))
    return jax.tree.map(lambda x: _joined(x, shards), parts)


def _cut_all(inputs: Inputs, parts: int, shards: int) -> Inputs:
    return jax.tree.map_with_path(lambda path, x: _cut(x, parts, shards, path), inputs)


def _cut(rows: jax.Array, parts: int, shards: int, path: tuple = ()) -> jax.Array:
    """[B, ...] as [parts, B / parts, ...], each part with a share of the rows of every device."""
    if len(rows) % (parts * shards):
        raise NegjaxError(
            f"{jax.tree_util.keystr(path)} has {len(rows)} rows, which cannot be cut into {parts} micro-batches on "
            f"{shards} devices: batch_size, counted in groups that share their options, must be a multiple of "
            f"{parts * shards}"
        )
    return rows.reshape(shards, parts, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(parts, -1, *rows.shape[1:])


def _joined(parts: jax.Array, shards: int) -> jax.Array:
    """The inverse of `_cut`."""
    K, _, *shape = parts.shape
    return parts.reshape(K, shards, -1, *shape).swapaxes(0, 1).reshape(-1, *shape)
