"""The devices as a mesh with the axes "data", "fsdp" and "tensor", and batches sharded over it.

The rows of a batch are split over "data" and "fsdp"; each process loads the rows of its own devices
(`local_row_indices`) and `put_batch` joins them to global arrays. Shapes: B rows of a global batch, b rows of one
process.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from negjax.errors import NegjaxError

FSDP_AXIS = "fsdp"  # over which parameters are sharded, and gathered where they are used
TENSOR_AXIS = "tensor"  # over which heads and hidden units are sharded
MESH_AXES = ("data", FSDP_AXIS, TENSOR_AXIS)
BATCH_AXES = ("data", FSDP_AXIS)  # over which the rows of a batch are split
BATCH_SPEC = PartitionSpec(BATCH_AXES)


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1, tensor: int = 1) -> Mesh:
    """Arranges devices as a mesh [data, fsdp, tensor], the axis "data" being as long as there are devices for.

    Devices that are neighbours in the TPU's torus are neighbours in the mesh, whatever host they belong to; of several
    slices only "data" spans more than one.

    Args:
        devices: the devices; all by default.
        fsdp: size of the axis "fsdp".
        tensor: size of the axis "tensor".

    Raises:
        NegjaxError: the sizes do not divide the number of devices, or of those of a slice.
    """
    devices = jax.devices() if devices is None else list(devices)
    data, remainder = divmod(len(devices), fsdp * tensor) if fsdp > 0 and tensor > 0 else (0, 1)
    if remainder or not data:
        raise NegjaxError(
            f"config.mesh: fsdp {fsdp} x tensor {tensor} does not divide {len(devices)} devices: choose sizes that do"
        )
    slices = len({getattr(device, "slice_index", 0) for device in devices}) if devices[0].platform == "tpu" else 1
    if data % slices:
        raise NegjaxError(
            f"config.mesh: fsdp {fsdp} x tensor {tensor} does not divide the {len(devices) // slices} devices of each "
            f"of {slices} slices: choose sizes that do"
        )
    # jax.make_mesh would not split an axis of the torus, which fsdp and tensor need, nor take several slices.
    options: Any = {"devices": devices, "allow_split_physical_axes": True}
    if slices > 1:
        device_array = mesh_utils.create_hybrid_device_mesh((data // slices, fsdp, tensor), (slices, 1, 1), **options)
    else:
        device_array = mesh_utils.create_device_mesh((data, fsdp, tensor), **options)
    return Mesh(device_array, MESH_AXES, axis_types=(AxisType.Auto,) * 3)


def num_batch_shards(mesh: Mesh) -> int:
    """Returns the number of shards that the rows of a batch are split into."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding that keeps an array unsplit on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding that splits the leading axis of an array over "data" and "fsdp"."""
    return NamedSharding(mesh, BATCH_SPEC)


def shard_map_over_batch(function: Callable, mesh: Mesh, in_specs: Any, out_specs: Any) -> Callable:
    """Maps a function over the shards of a batch: `jax.shard_map` over the axes "data" and "fsdp".

    What is sharded over "tensor" appears unsplit to the function; the compiler handles that axis.

    Args:
        function: takes and returns the shards of one device.
        mesh: the mesh.
        in_specs: PartitionSpecs of the arguments, over the batch axes.
        out_specs: PartitionSpecs of the results.
    """
    return jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, axis_names=set(BATCH_AXES))


def put_batch(mesh: Mesh, batch: Any) -> Any:
    """Makes global arrays from this process's rows of a batch.

    Args:
        mesh: the mesh.
        batch: tree of NumPy arrays [b, ...], the rows of `local_row_indices` in its order.

    Returns:
        The same tree of jax arrays [B, ...], B being the rows of all processes.

    Raises:
        NegjaxError: b is not a multiple of the shards of this process.
    """
    sharding, num_shards = batch_sharding(mesh), num_batch_shards(mesh)
    local_shards = len(local_row_indices(mesh, num_shards, "the batch"))

    def put(array: np.ndarray) -> jax.Array:
        if len(array) % local_shards:
            raise NegjaxError(f"a batch of {len(array)} rows does not divide evenly over {local_shards} devices")
        global_shape = (len(array) // local_shards * num_shards, *array.shape[1:])
        return jax.make_array_from_process_local_data(sharding, array, global_shape)

    return jax.tree.map(put, batch)


def local_row_indices(mesh: Mesh, batch_size: int, setting: str, multiple: int = 1, parts: int = 1) -> np.ndarray:
    """Returns the indices of the rows of a global batch that this process's devices hold.

    The rows need not be consecutive: on a TPU the mesh follows the torus, in which a host is a square of chips.

    Args:
        mesh: the mesh.
        batch_size: B.
        setting: what sets batch_size, for the error.
        multiple: number of consecutive rows that must stay on one device.
        parts: number of micro-batches that each device's rows are split into.

    Returns:
        int [b], ascending.

    Raises:
        NegjaxError: the batch cannot be split evenly.
    """
    num_shards = num_batch_shards(mesh)
    if batch_size % (num_shards * multiple * parts):
        factors = f" x {parts} micro-batches" if parts > 1 else ""
        factors += f" x {multiple} rows that stay together" if multiple > 1 else ""
        raise NegjaxError(f"{setting} is {batch_size}: it must be a multiple of {num_shards} devices{factors}")
    slices = batch_sharding(mesh).addressable_devices_indices_map((batch_size,)).values()
    return np.unique([np.arange(batch_size)[index] for index in slices])
