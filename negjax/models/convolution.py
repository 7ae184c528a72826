"""Convolutions and averages over square windows. Shapes: B batch, H W height and width, C channels."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.linear import Linear, affine, gather, matmul_precision, sharded_axis
from negjax.runtime.mesh import FSDP_AXIS


class Convolution(nnx.Module):
    """A convolution with an odd kernel, padded with zeros so that stride 1 keeps the size.

    As in `negjax.models.linear.affine`, the gradient of the kernel is summed in float32, and inside a `jax.shard_map`
    the parameter may be one device's shard.
    """

    def __init__(self, size: int, inputs: int, outputs: int, *, stride: int = 1, groups: int = 1, bias: bool = False):
        self.shape = (size, size, inputs // groups, outputs)
        self.kernel = nnx.Param(jnp.zeros(self.shape))
        self.bias = nnx.Param(jnp.zeros(outputs)) if bias else None
        self.stride = stride
        self.groups = groups

    @property
    def shard_axis(self) -> int | None:
        """The axis along which this device holds only a shard of the kernel; None for the full kernel."""
        return sharded_axis(self.shape, self.kernel.shape)

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        kernel, settings = self.kernel[...], (self.stride, self.groups, self.shard_axis)
        plain = self.shard_axis is None and x_BHWC.dtype == kernel.dtype
        y = (_convolve if plain else _convolve_float32_sums)(*settings, x_BHWC, kernel)
        return y if self.bias is None else (y + self.bias[...]).astype(x_BHWC.dtype)


def _convolve(stride: int, groups: int, shard_axis: int | None, x: jax.Array, kernel: jax.Array) -> jax.Array:
    full_kernel = gather(kernel.astype(x.dtype), shard_axis)
    return _convolve_full(stride, groups, x, full_kernel, matmul_precision(x))


def _convolve_full(
    stride: int, groups: int, x: jax.Array, kernel: jax.Array, precision: jax.lax.Precision | None
) -> jax.Array:
    padding = kernel.shape[0] // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision=precision,
    )


def _convolve_forward(stride: int, groups: int, shard_axis: int | None, x: jax.Array, kernel: jax.Array) -> tuple:
    return _convolve(stride, groups, shard_axis, x, kernel), (x, kernel)


def _convolve_backward(stride: int, groups: int, shard_axis: int | None, inputs: tuple, dy: jax.Array) -> tuple:
    x, kernel = inputs
    precision, full_kernel = matmul_precision(x), gather(kernel.astype(x.dtype), shard_axis)
    (dx,) = jax.vjp(lambda x: _convolve_full(stride, groups, x, full_kernel, precision), x)[1](dy)
    # Float32 factors that hold bfloat16 values: multiplied as such, and summed in float32.
    x32, dy32, kernel32 = (array.astype(jnp.float32) for array in (x, dy, full_kernel))
    (dkernel,) = jax.vjp(lambda kernel: _convolve_full(stride, groups, x32, kernel, precision), kernel32)[1](dy32)
    if shard_axis is not None:
        dkernel = jax.lax.psum_scatter(dkernel, FSDP_AXIS, scatter_dimension=shard_axis, tiled=True)
    return dx, dkernel


_convolve_float32_sums = jax.custom_vjp(_convolve, nondiff_argnums=(0, 1, 2))
_convolve_float32_sums.defvjp(_convolve_forward, _convolve_backward)


def embed_patches(x_BHWC: jax.Array, patch: Linear) -> jax.Array:
    """A convolution whose stride is the size of its kernel, as a matrix product.

    Args:
        x_BHWC: Pixels or channels; rows and columns beyond the last whole patch are unused.
        patch: A layer with a kernel [P, P, C, D].

    Returns:
        [B, H // P, W // P, D], in the type of the input.
    """
    batch, height, width, channels = x_BHWC.shape
    size = patch.shape[0]
    rows, columns = height // size, width // size
    x = x_BHWC[:, : rows * size, : columns * size].reshape(batch, rows, size, columns, size, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows, columns, size * size * channels)
    bias = None if patch.bias is None else patch.bias[...]
    return affine(x, patch.kernel[...].reshape(-1, patch.shape[-1]), bias)


def average_pool(x_BHWC: jax.Array, size: int) -> jax.Array:
    """The means of squares of `size` pixels; rows and columns beyond the last whole square are unused."""
    batch, height, width, channels = x_BHWC.shape
    rows, columns = height // size, width // size
    x = x_BHWC[:, : rows * size, : columns * size].reshape(batch, rows, size, columns, size, channels)
    return x.mean((2, 4))
