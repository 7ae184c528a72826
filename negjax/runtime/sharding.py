"""Sharding of parameters and optimizer states over the mesh: rules by path, of which the first match counts.

"fsdp" shards every large matrix, over the axis that batches are split over too; "tensor" shards heads and the width of
the MLP, so that an attention or an MLP needs one sum over devices (Shoeybi et al. 2019). Optimizer states are sharded
as their parameters are.

Each device runs the towers on its own rows of the batch. What is sharded over "fsdp" is gathered for that: the kernels
of a block when the block runs (`negjax.models.linear.affine`), everything else before the first block, in float32, and
kept until the last.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from negjax.runtime.mesh import BATCH_AXES, BATCH_SPEC, FSDP_AXIS, shard_map_over_batch

# End of a parameter's path -> mesh axis of each array axis.
SHARDING_RULES: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    (r"attention/qkv/kernel", ("fsdp", None, "tensor")),
    (r"attention/qkv/bias", (None, "tensor")),
    (r"attention/out/kernel", ("tensor", "fsdp")),
    (r"(up|gate)/kernel", ("fsdp", "tensor")),
    (r"(up|gate)/bias", ("tensor",)),
    (r"down/kernel", ("tensor", "fsdp")),
    (r"pool/qkv/kernel", ("fsdp", None, "tensor")),
    (r"pool/q/kernel", ("fsdp", "tensor")),
    (r"pool/kv/kernel", ("fsdp", None, "tensor")),
    (r"pool/out/kernel", ("tensor", "fsdp")),
    (r"conv1/kernel", ("fsdp", "tensor")),  # the inner width of a ResNet's block
    (r"conv2/kernel", (None, None, "tensor", "fsdp")),
    (r"conv3/kernel", ("tensor", "fsdp")),
    (r"downsample/kernel", ("fsdp", None)),
    (r"downsample/kernel", (None, None, None, "fsdp")),
    (r"text/tokens", (None, "fsdp")),
    (r"(visual|text)/positions", (None, "fsdp")),
    (r"visual/patch/kernel", (None, None, None, "fsdp")),
    (r"(projection|hidden|output|pooler)/kernel", ("fsdp", None)),
)


def state_shardings(mesh: Mesh, state: Any) -> Any:
    """Returns the sharding of each leaf of a state.

    A leaf is sharded by the first of SHARDING_RULES that matches the end of its path and its number of axes, except
    over axes whose size does not divide evenly. Leaves without a rule are replicated.

    Args:
        mesh: the mesh.
        state: tree of arrays or of shapes with a dtype.

    Returns:
        The same tree of NamedShardings.
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: _sharding(mesh, _path_name(path), leaf.shape), state)


def abstract_state(mesh: Mesh, state: Any) -> Any:
    """Returns the same tree of jax.ShapeDtypeStructs with their `state_shardings`; nothing is allocated."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        state_shardings(mesh, state),
    )


def device_put_tree(tree: Any, shardings: Any) -> Any:
    """Makes sharded jax arrays of host arrays that every process holds; nothing is sent between processes.

    Args:
        tree: tree of host arrays, equal on all processes.
        shardings: the same tree of NamedShardings.
    """

    def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
        array = np.asarray(leaf)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return jax.tree.map(put, tree, shardings)


@dataclass(frozen=True)
class ParamShard:
    """How a parameter is sharded over the batch axes.

    Attributes:
        spec: for a `jax.shard_map` over these axes.
        gather_early: a sharded parameter is gathered before the first block, not by the block that uses it.
    """

    spec: PartitionSpec
    gather_early: bool

    def localize(self, param: jax.Array) -> jax.Array:
        """Prepares this device's shard of the parameter for use with its own rows, inside a `jax.shard_map`.

        Returns:
            The parameter, gathered if `gather_early`, marked as varying over the batch axes: its gradient is each
            device's own, and that of `param` is the sum over devices, in its type, sharded like `param`.
        """
        if self.gather_early and FSDP_AXIS in self.spec:
            param = jax.lax.all_gather(param, FSDP_AXIS, axis=self.spec.index(FSDP_AXIS), tiled=True)
        replicated_axes = tuple(axis for axis in BATCH_AXES if axis not in self.spec)
        return jax.lax.pcast(param, replicated_axes, to="varying")


def param_shards(mesh: Mesh, params: Any) -> Any:
    """Returns the same tree with the ParamShard of each parameter, sharded by `state_shardings`."""

    def param_shard(path: tuple, leaf: Any) -> ParamShard:
        name = _path_name(path)
        axes = _sharding(mesh, name, leaf.shape).spec
        spec = PartitionSpec(*(axis if axis == FSDP_AXIS and mesh.shape[FSDP_AXIS] > 1 else None for axis in axes))
        return ParamShard(spec, gather_early="/blocks/" not in name)

    return jax.tree_util.tree_map_with_path(param_shard, params)


def map_over_batch_shards(function: Callable[[Any, Any], Any], mesh: Mesh | None, params: Any, rows: Any) -> Any:
    """Computes function(params, rows) with each device on its own rows. Differentiable.

    Args:
        function: must treat each row independently of the others.
        mesh: the mesh, or None for a single device.
        params: parameters, sharded by `state_shardings`.
        rows: tree of arrays [B, ...], B a multiple of the mesh's batch shards.

    Returns:
        The results of the function, arrays [B, ...] sharded like the rows.
    """
    if mesh is None:
        return function(params, rows)
    shards = param_shards(mesh, params)

    def run_on_shard(params: Any, rows: Any) -> Any:
        return function(jax.tree.map(ParamShard.localize, shards, params), rows)

    specs = jax.tree.map(lambda shard: shard.spec, shards)
    return shard_map_over_batch(run_on_shard, mesh, (specs, BATCH_SPEC), BATCH_SPEC)(params, rows)


def _sharding(mesh: Mesh, name: str, shape: tuple[int, ...]) -> NamedSharding:
    """The sharding of the array at the path `name`, by the first rule that matches."""
    for pattern, axes in SHARDING_RULES:
        if re.search(rf"(^|/){pattern}$", name) and len(axes) == len(shape):
            spec = [axis if axis and size % mesh.shape[axis] == 0 else None for axis, size in zip(axes, shape)]
            return NamedSharding(mesh, PartitionSpec(*spec))
    return NamedSharding(mesh, PartitionSpec())


def _path_name(path: tuple[Any, ...]) -> str:
    """The path as text, such as "opt_state/0/mu/text/tokens"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")
