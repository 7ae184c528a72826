"""Runs the towers on the devices of a mesh, each on its own rows, and on batches too large for memory (GradCache).

Objectives that compare all items of a batch are not sums over parts of it, so gradients of parts cannot just be added.
The solution (Gao et al. 2021, "GradCache"): encode everything, a part at a time, and keep only the embeddings; take
the gradient of the objectives with respect to these; then encode each part again, now with its activations, and
propagate that gradient back to the parameters.

Each device adds up the gradients of its own parts, and only the sum is sent over the mesh. Blocks that are sharded
over "fsdp" are an exception, because they do not fit on a device: they are gathered, and their gradients summed, for
each part.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from negjax.errors import NegjaxError
from negjax.models.clip import Params
from negjax.runtime.mesh import BATCH_SPEC, num_batch_shards, shard_map_over_batch
from negjax.runtime.sharding import ParamShard, map_over_batch_shards, param_shards
from negjax.training.losses import Metrics
from negjax.training.optimizer import combine, partition

Inputs = Any  # a tree of arrays, each with as many rows as its embeddings
Embeddings = Any
Encode = Callable[[Params, Inputs], Embeddings]


def encoded(encode: Encode, params: Params, inputs: Inputs, mesh: Mesh | None, micro_batches: int = 1) -> Embeddings:
    """`encode(params, inputs)`, computed by each device for its own rows, one micro-batch after the other.

    Args:
        encode: must treat each row by itself and without randomness.
        params: the parameters, sharded as `negjax.runtime.sharding` says.
        inputs: a tree of arrays.
        mesh: over which the rows are split; None for one device.
        micro_batches: number of parts.

    Raises:
        NegjaxError: the rows of an input are not a multiple of the devices and parts.
    """
    if not jax.tree.leaves(inputs):
        return inputs
    _check_rows(inputs, mesh, micro_batches)

    def encode_rows(params: Params, inputs: Inputs) -> Embeddings:
        if micro_batches == 1:
            return encode(params, inputs)
        parts = jax.lax.map(partial(encode, params), _parts(inputs, micro_batches))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), parts)

    return map_over_batch_shards(encode_rows, mesh, params, inputs)


def cached_gradient(
    encode: Encode,
    objectives: Callable[[list, Embeddings], tuple[jax.Array, Metrics]],
    params: Params,
    learns: Any,
    inputs: Inputs,
    mesh: Mesh | None,
    micro_batches: int,
) -> tuple[list, Metrics]:
    """The gradient of `objectives(moving, encode(params, inputs))` by the moving parameters, and its metrics.

    Memory for activations falls with the number of micro-batches, and the forward pass is computed twice.

    Args:
        encode: as for `encoded`, and so are params, inputs, mesh and micro_batches.
        objectives: (moving parameters, embeddings) -> (loss, metrics).
        learns: tree of True for the moving parameters, see `negjax.training.optimizer.partition`.
    """
    embeddings = encoded(encode, params, inputs, mesh, micro_batches)
    moving, fixed = partition(params, learns)
    gradient = jax.grad(objectives, argnums=(0, 1), has_aux=True)
    (direct, by_embedding), metrics = gradient(moving, embeddings)

    def sum_of_parts(moving: list, fixed: list, inputs: Inputs, cotangents: Embeddings) -> list:
        def add(grads: list, part: tuple[Inputs, Embeddings]) -> tuple[list, None]:
            rows, cotangent = part
            _, pull_back = jax.vjp(lambda moving: encode(combine(moving, fixed, learns), rows), moving)
            return jax.tree.map(jnp.add, grads, pull_back(cotangent)[0]), None

        # The sum is in float32, as the parameters are.
        zeros = jax.tree.map(jnp.zeros_like, moving)
        return jax.lax.scan(add, zeros, _parts((inputs, cotangents), micro_batches))[0]

    if mesh is None:
        grads = sum_of_parts(moving, fixed, inputs, by_embedding)
    else:
        moving_shards, fixed_shards = partition(param_shards(mesh, params), learns)

        def sum_of_device(moving: list, fixed: list, inputs: Inputs, cotangents: Embeddings) -> list:
            moving, summed = jax.vjp(lambda moving: list(map(ParamShard.localize, moving_shards, moving)), moving)
            return summed(
                sum_of_parts(moving, list(map(ParamShard.localize, fixed_shards, fixed)), inputs, cotangents)
            )[0]

        specs = [[shard.spec for shard in shards] for shards in (moving_shards, fixed_shards)]
        spread = shard_map_over_batch(sum_of_device, mesh, (*specs, BATCH_SPEC, BATCH_SPEC), specs[0])
        grads = spread(moving, fixed, inputs, by_embedding)
    return jax.tree.map(jnp.add, direct, grads), metrics


def _parts(rows: Any, parts: int) -> Any:
    """A tree of [b, ...] as one of [parts, b / parts, ...]."""
    return jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), rows)


def _check_rows(inputs: Inputs, mesh: Mesh | None, parts: int) -> None:
    devices = 1 if mesh is None else num_batch_shards(mesh)
    for path, x in jax.tree.leaves_with_path(inputs):
        if len(x) % (parts * devices):
            times = f" x {parts} micro-batches" if parts > 1 else ""
            raise NegjaxError(
                f"{jax.tree_util.keystr(path)} has {len(x)} rows, not divisible by {devices} devices{times}: "
                f"batch_size, counted in groups that share their options, must be a multiple of {parts * devices}"
            )
