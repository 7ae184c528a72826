"""Which axis of which array lies on which axis of the mesh: rules by path, the first that fits counts.

"fsdp" cuts every large matrix once more, beside the batch; "tensor" cuts heads and the perceptron's width, so that an
attention or perceptron needs one sum over devices (Shoeybi et al. 2019). Optimizer states follow their parameters.
"""

import re
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

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
