"""The devices as a mesh, and batches laid out over it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from negjax.errors import NegjaxError

FSDP = "fsdp"  # over which parameters are cut, and gathered where they are needed
AXES = ("data", FSDP, "tensor")
BATCH_AXES = ("data", FSDP)  # over which the rows of a batch are split
ROWS = PartitionSpec(BATCH_AXES)


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1, tensor: int = 1) -> Mesh:
    """All devices (or those given), `fsdp` x `tensor` to a row, with as many rows on the axis "data" as there are.

    Near each other are those that are near in the TPU's torus, whatever host they belong to; of several slices only
    "data" spans more than one. Raises NegjaxError when they do not come out even.
    """
    devices = jax.devices() if devices is None else list(devices)
    rows, left = divmod(len(devices), fsdp * tensor) if fsdp > 0 and tensor > 0 else (0, 1)
    if left or not rows:
        raise NegjaxError(
            f"config.mesh: fsdp {fsdp} x tensor {tensor} does not divide {len(devices)} devices: choose sizes that do"
        )
    slices = len({getattr(device, "slice_index", 0) for device in devices}) if devices[0].platform == "tpu" else 1
    if rows % slices:
        raise NegjaxError(
            f"config.mesh: fsdp {fsdp} x tensor {tensor} does not divide the {len(devices) // slices} devices of each "
            f"of {slices} slices: choose sizes that do"
        )
    # jax.make_mesh would not cut an axis of the torus in two, which fsdp and tensor need, nor take several slices.
    how: Any = {"devices": devices, "allow_split_physical_axes": True}
    if slices > 1:
        arranged = mesh_utils.create_hybrid_device_mesh((rows // slices, fsdp, tensor), (slices, 1, 1), **how)
    else:
        arranged = mesh_utils.create_device_mesh((rows, fsdp, tensor), **how)
    return Mesh(arranged, AXES, axis_types=(AxisType.Auto,) * 3)


def batch_shards(mesh: Mesh) -> int:
    """Over how many parts of the mesh the rows of a batch are split."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def on_each_device(own: Callable, mesh: Mesh, in_specs: Any, out_specs: Any) -> Callable:
    """own, run by each device on what is its own; what is cut over "tensor" is whole to it, the compiler sees to it."""
    return jax.shard_map(own, mesh=mesh, in_specs=in_specs, out_specs=out_specs, axis_names=set(BATCH_AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The leading axis split over "data" and "fsdp", everything else whole."""
    return NamedSharding(mesh, ROWS)


def put_batch(mesh: Mesh, batch: Any) -> Any:
    """Global arrays from this process's rows of a batch.

    batch: tree of numpy arrays [b, ...], b the rows that `local_rows` names, in its order. Returns the same tree of jax
    arrays [B, ...], B the rows of all processes. Raises NegjaxError when b cannot be split over the process's devices.
    """
    sharding, shards = batch_sharding(mesh), batch_shards(mesh)
    here = len(local_rows(mesh, shards, "the batch"))

    def put(array: np.ndarray) -> jax.Array:
        if len(array) % here:
            raise NegjaxError(f"a batch of {len(array)} rows does not divide evenly over {here} devices")
        return jax.make_array_from_process_local_data(sharding, array, (len(array) // here * shards, *array.shape[1:]))

    return jax.tree.map(put, batch)


def local_rows(mesh: Mesh, batch_size: int, where: str, multiple: int = 1, parts: int = 1) -> np.ndarray:
    """The numbers of the rows of a global batch that this process's devices hold, rising.

    They need not be neighbours: on a TPU the mesh follows the torus, in which a host is a square of chips.

    where: the setting that gives batch_size, for the error. multiple: consecutive rows that must stay on one device.
    parts: micro-batches that each device's rows are cut into. Raises NegjaxError when the batch cannot be split evenly.
    """
    if batch_size % (batch_shards(mesh) * multiple * parts):
        each = f" x {parts} micro-batches" if parts > 1 else ""
        each += f" x {multiple} rows that stay together" if multiple > 1 else ""
        raise NegjaxError(f"{where} is {batch_size}: it must be a multiple of {batch_shards(mesh)} devices{each}")
    places = batch_sharding(mesh).addressable_devices_indices_map((batch_size,)).values()
    return np.unique([np.arange(batch_size)[place] for place in places])
