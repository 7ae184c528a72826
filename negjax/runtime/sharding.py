"""Which axis of which array lies on which axis of the mesh: rules by path, the first that fits counts.

"fsdp" cuts every large matrix once more, beside the batch; "tensor" cuts heads and the perceptron's width, so that an
attention or perceptron needs one sum over devices (Shoeybi et al. 2019). Optimizer states follow their parameters.

Each device runs the towers on its own rows. What lies cut over "fsdp" is gathered for that: a block's kernels by the
block, one after the other (`negjax.models.layers.affine`); all else before the first, in float32, to be kept until the
last.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from negjax.runtime.mesh import BATCH_AXES, FSDP, ROWS, on_each_device

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


def place(tree: Any, shardings: Any) -> Any:
    """A tree of arrays of the host, which every process has, as one of jax arrays that lie as the shardings say.

    Each device is given its own part, and nothing goes from process to process.
    """

    def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda part: whole[part])

    return jax.tree.map(put, tree, shardings)


@dataclass(frozen=True)
class Share:
    """How a parameter lies over the axes of the batch.

    spec: for a `jax.shard_map` over these. early: what is cut is gathered before the first block.
    """

    spec: PartitionSpec
    early: bool

    def ready(self, param: jax.Array) -> jax.Array:
        """This device's share, within the `jax.shard_map`, for use with its own rows: whole, if that is done early.

        The gradient of what this gives is each device's own; that of `param` is their sum, in its type, cut as it is.
        """
        if self.early and FSDP in self.spec:
            param = jax.lax.all_gather(param, FSDP, axis=self.spec.index(FSDP), tiled=True)
        same_on = tuple(axis for axis in BATCH_AXES if axis not in self.spec)
        return jax.lax.pcast(param, same_on, to="varying")


def shares(mesh: Mesh, params: Any) -> Any:
    """The same tree with the Share of each parameter, which lie as `state_shardings` says."""

    def share(path: tuple, leaf: Any) -> Share:
        axes = _sharding(mesh, _name(path), leaf.shape).spec
        spec = PartitionSpec(*(axis if axis == FSDP and mesh.shape[FSDP] > 1 else None for axis in axes))
        return Share(spec, early="/blocks/" not in _name(path))

    return jax.tree_util.tree_map_with_path(share, params)


def on_own_rows(run: Callable[[Any, Any], Any], mesh: Mesh | None, params: Any, rows: Any) -> Any:
    """run(params, rows), each device on its own rows. run must treat each row by itself; it can be differentiated.

    params: as `state_shardings` lays them out. rows: tree of arrays, each with a multiple of the mesh's batch shards of
    rows, as are the results. mesh: None for one device.
    """
    if mesh is None:
        return run(params, rows)
    of = shares(mesh, params)

    def own(params: Any, rows: Any) -> Any:
        return run(jax.tree.map(Share.ready, of, params), rows)

    specs = jax.tree.map(lambda share: share.spec, of)
    return on_each_device(own, mesh, (specs, ROWS), ROWS)(params, rows)


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
