"""The towers over the devices of a mesh, each on its own rows, and over batches whose activations do not fit in memory.

Objectives that compare all items of a batch are not sums over parts of it, so gradients of parts cannot just be added.
The way out (Gao et al. 2021, "GradCache"): encode everything, a part at a time, and keep the embeddings alone; take the
gradient of the objectives with respect to these; then encode each part again, now with its activations, and pull that
gradient back.

Each device adds up the gradients of its own parts, and their sum alone goes over the mesh. Blocks that are cut over
"fsdp" are an exception, for no device could keep them whole: they are gathered, and their gradients summed, for each
part.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from negjax.errors import NegjaxError
from negjax.runtime.mesh import BATCH_SPEC, num_batch_shards, shard_map_over_batch
from negjax.runtime.sharding import ParamShard, map_over_batch_shards, param_shards
from negjax.training.optimizer import combine, partition

Params = Any
Inputs = Any  # a tree of arrays, each with as many rows as its embeddings
Embeddings = Any
Metrics = dict[str, jax.Array]
Encode = Callable[[Params, Inputs], Embeddings]


def encoded(encode: Encode, params: Params, inputs: Inputs, mesh: Mesh | None, micro_batches: int = 1) -> Embeddings:
    """`encode(params, inputs)`, every device its own rows, so many micro-batches one after the other.

    encode must treat each row by itself and without chance. mesh: over which the rows lie, and the parameters as
    `negjax.runtime.sharding` says; None for one device. Raises NegjaxError when the rows of an input cannot be cut so.
    """
    if not jax.tree.leaves(inputs):
        return inputs
    _check(inputs, mesh, micro_batches)

    def own(params: Params, inputs: Inputs) -> Embeddings:
        if micro_batches == 1:
            return encode(params, inputs)
        parts = jax.lax.map(partial(encode, params), _parts(inputs, micro_batches))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), parts)

    return map_over_batch_shards(own, mesh, params, inputs)


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

    learns: tree of True for these, see `negjax.training.optimizer.split`. Memory for activations falls with the number
    of micro-batches, and the forward pass is computed twice. Otherwise as `encoded`.
    """
    embeddings = encoded(encode, params, inputs, mesh, micro_batches)
    moving, fixed = partition(params, learns)
    gradient = jax.grad(objectives, argnums=(0, 1), has_aux=True)
    (direct, by_embedding), metrics = gradient(moving, embeddings)

    def own(moving: list, fixed: list, inputs: Inputs, cotangents: Embeddings) -> list:
        def add(grads: list, part: tuple[Inputs, Embeddings]) -> tuple[list, None]:
            rows, cotangent = part
            _, pull_back = jax.vjp(lambda moving: encode(combine(moving, fixed, learns), rows), moving)
            return jax.tree.map(jnp.add, grads, pull_back(cotangent)[0]), None

        # The sum is in float32, as the parameters are.
        nothing = jax.tree.map(jnp.zeros_like, moving)
        return jax.lax.scan(add, nothing, _parts((inputs, cotangents), micro_batches))[0]

    if mesh is None:
        grads = own(moving, fixed, inputs, by_embedding)
    else:
        of_moving, of_fixed = partition(param_shards(mesh, params), learns)

        def own_of_mesh(moving: list, fixed: list, inputs: Inputs, cotangents: Embeddings) -> list:
            moving, summed = jax.vjp(lambda moving: list(map(ParamShard.localize, of_moving, moving)), moving)
            return summed(own(moving, list(map(ParamShard.localize, of_fixed, fixed)), inputs, cotangents))[0]

        specs = [[share.spec for share in of] for of in (of_moving, of_fixed)]
        spread = shard_map_over_batch(own_of_mesh, mesh, (*specs, BATCH_SPEC, BATCH_SPEC), specs[0])
        grads = spread(moving, fixed, inputs, by_embedding)
    return jax.tree.map(jnp.add, direct, grads), metrics


def _parts(rows: Any, parts: int) -> Any:
    """A tree of [b, ...] as one of [parts, b / parts, ...]."""
    return jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), rows)


def _check(inputs: Inputs, mesh: Mesh | None, parts: int) -> None:
    devices = 1 if mesh is None else num_batch_shards(mesh)
    for path, x in jax.tree.leaves_with_path(inputs):
        if len(x) % (parts * devices):
            each = f" x {parts} micro-batches" if parts > 1 else ""
            raise NegjaxError(
                f"{jax.tree_util.keystr(path)} has {len(x)} rows, which cannot be cut for {devices} devices{each}: "
                f"batch_size, counted in groups that share their options, must be a multiple of {parts * devices}"
            )
