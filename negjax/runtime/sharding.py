"""Which axis of which array lies on which axis of the mesh: rules by path, the first that fits counts.

"fsdp" cuts every large matrix once more, beside the batch; "tensor" cuts heads and the perceptron's width, so that an
attention or perceptron needs one sum over devices (Shoeybi et al. 2019). Optimizer states follow their parameters.

Each device runs the towers on its own rows. What lies cut over "fsdp" is gathered for that: a block's kernels by the
block, one after the other (`negjax.models.layers.affine`), all else before the first.
"""

import re
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from negjax.runtime.mesh import BATCH_AXES, FSDP, ROWS

RULES: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    (r"attention/qkv/kernel", ("fsdp", None, "tensor")),
    (r"attention/qkv/bias", (None, "tensor")),
    (r"attention/out/kernel", ("tensor", "fsdp")),
    (r"up/kernel", ("fsdp", "tensor")),
    (r"up/bias", ("tensor",)),
    (r"down/kernel", ("tensor", "fsdp")),
    (r"pool/qkv/kernel", ("fsdp", None, "tensor")),
    (r"pool/out/kernel", ("tensor", "fsdp")),
    (r"text/tokens", (None, "fsdp")),
    (r"(visual|text)/positions", (None, "fsdp")),
    (r"visual/patch/kernel", (None, None, None, "fsdp")),
    (r"projection/kernel", ("fsdp", None)),
)


def state_shardings(mesh: Mesh, state: Any) -> Any:
    """The same tree with the NamedSharding of each leaf (an array, or a shape with a dtype) on the mesh.

    A leaf whose path ends in what a rule names, and that has as many axes, lies as the rule says; an axis that does not
    divide over the devices stays whole, and so does every other leaf.
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: _sharding(mesh, _name(path), leaf.shape), state)


def abstract_state(mesh: Mesh, state: Any) -> Any:
    """The same tree of shapes and types that lie on the mesh as `state_shardings` says; nothing is allocated."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        state_shardings(mesh, state),
    )


def on_own_rows(run: Callable[[Any, Any], Any], mesh: Mesh, params: Any, rows: Any) -> Any:
    """run(params, rows), each device on its own rows. run must treat each row by itself; it can be differentiated.

    params: as `state_shardings` lays them out. rows: tree of arrays, each with a multiple of the mesh's batch shards of
    rows, as are the results.
    """
    specs, early = own_specs(mesh, params), gathered_early(params)

    def own(params: Any, rows: Any) -> Any:
        return run(jax.tree.map(ready, params, specs, early), rows)

    return on_each_device(own, mesh, (specs, ROWS), ROWS)(params, rows)


def on_each_device(own: Callable, mesh: Mesh, in_specs: Any, out_specs: Any) -> Callable:
    """own, run by each device on what is its own; what is cut over "tensor" is whole to it, the compiler sees to it."""
    return jax.shard_map(own, mesh=mesh, in_specs=in_specs, out_specs=out_specs, axis_names=set(BATCH_AXES))


def own_specs(mesh: Mesh, params: Any) -> Any:
    """The same tree with how each parameter lies over the axes of the batch alone, for a `jax.shard_map` over these."""

    def spec(path: tuple, leaf: Any) -> PartitionSpec:
        axes = _sharding(mesh, _name(path), leaf.shape).spec
        return PartitionSpec(*(axis if axis == FSDP and mesh.shape[FSDP] > 1 else None for axis in axes))

    return jax.tree_util.tree_map_with_path(spec, params)


def gathered_early(params: Any) -> Any:
    """The same tree with True where a parameter is no part of a block."""
    return jax.tree_util.tree_map_with_path(lambda path, _: "/blocks/" not in _name(path), params)


def ready(param: jax.Array, spec: PartitionSpec, early: bool) -> jax.Array:
    """A device's part of a parameter, within a `jax.shard_map`, for use with this device's rows.

    early: if it is cut, it is gathered here. The gradient of what this gives is each device's own; that of `param` is
    their sum, in the parameter's type, cut as the parameter is.
    """
    if early and FSDP in spec:
        param = jax.lax.all_gather(param, FSDP, axis=spec.index(FSDP), tiled=True)
    same_on = tuple(axis for axis in BATCH_AXES if axis not in spec)
    return jax.lax.pcast(param, same_on, to="varying")


def _sharding(mesh: Mesh, name: str, shape: tuple[int, ...]) -> NamedSharding:
    for pattern, axes in RULES:
        if re.search(rf"(^|/){pattern}$", name) and len(axes) == len(shape):
            spec = [axis if axis and size % mesh.shape[axis] == 0 else None for axis, size in zip(axes, shape)]
            return NamedSharding(mesh, PartitionSpec(*spec))
    return NamedSharding(mesh, PartitionSpec())


def _name(path: tuple[Any, ...]) -> str:
    """The keys of a path that are texts, "params/text/tokens": optax's own levels have none, or others before it."""
    keys = (getattr(entry, "key", getattr(entry, "name", "")) for entry in path)
    return "/".join(key for key in keys if isinstance(key, str))
