"""The rows of a batch: a few at a time, and spread over devices.

A global batch is split over the axes "data" and "fsdp" of a mesh, row after row.
"""

import jax
from jax.sharding import Mesh, PartitionSpec

BATCH_AXES = ("data", "fsdp")


def each_row(f, *rows: jax.Array, chunk: int = 0) -> tuple:
    """f of every row, stacked: all rows at once, or `chunk` at a time.

    With a chunk nothing inside f is kept for the backward pass, which computes it anew, chunk after chunk.
    """
    if not chunk:
        return jax.vmap(f)(*rows)
    return jax.lax.map(lambda row: jax.checkpoint(f)(*row), rows, batch_size=chunk)


def batch_axes(mesh: Mesh) -> tuple[str, ...]:
    """The axes of the mesh over which the rows of a batch are split."""
    return tuple(axis for axis in BATCH_AXES if axis in mesh.axis_names)


def on_each_device(f, mesh: Mesh, out_specs: PartitionSpec | tuple[PartitionSpec, ...], *rows: jax.Array) -> tuple:
    """f of the arguments, run by each device on its own rows of them."""
    return jax.shard_map(f, mesh=mesh, in_specs=PartitionSpec(batch_axes(mesh)), out_specs=out_specs)(*rows)
