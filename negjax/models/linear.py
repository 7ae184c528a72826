"""Linear layers, with kernel gradients summed in float32 and kernels that may be sharded over devices.

Modules only declare the shapes of their parameters; `negjax.models.init` gives the values.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.runtime.mesh import FSDP_AXIS


def affine(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, shard_axis: int | None = None) -> jax.Array:
    """x @ kernel (+ bias) over the last axis of x and the first axis of the kernel, in the type of x.

    The gradients of kernel and bias are summed over rows in the kernel's type, float32, where x is bfloat16, too: in
    bfloat16 they would be rounded before the devices add them up, and again in that sum. The gradient of the kernel is
    x^T dy, of the kernel's layout, over all rows as one axis: for dy^T x, as of JAX's own rule, or for several axes of
    rows, XLA on a CPU transposes x or dy first, in a loop that takes longer than the product.

    Args:
        x: Inputs [..., D].
        kernel: [D, ...], or one device's shard of it.
        bias: [...] like the output axes of the kernel, or None.
        shard_axis: Inside a `jax.shard_map` over FSDP_AXIS, the axis along which this device holds only a shard of the
            kernel. The full kernel is gathered in the type of x and is not kept for the backward pass.

    Returns:
        The outputs: the axes of x but the last, then the output axes of the kernel.
    """
    return _affine_with_gradient(shard_axis, x, kernel, bias)


def matmul_precision(x: jax.Array) -> jax.lax.Precision | None:
    """The precision of a product with x: else TPUs round float32 factors to bfloat16, and GPUs to TF32."""
    return jax.lax.Precision.HIGHEST if x.dtype == jnp.float32 else None


def _affine(shard_axis: int | None, x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    y = jnp.tensordot(x, gather(kernel.astype(x.dtype), shard_axis), axes=1, precision=matmul_precision(x))
    return y if bias is None else y + bias.astype(x.dtype)


def gather(kernel: jax.Array, shard_axis: int | None) -> jax.Array:
    """The full kernel of one device's shard; the kernel itself where `shard_axis` is None."""
    return kernel if shard_axis is None else jax.lax.all_gather(kernel, FSDP_AXIS, axis=shard_axis, tiled=True)


def _affine_forward(shard_axis: int | None, x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> tuple:
    return _affine(shard_axis, x, kernel, bias), (x, kernel, bias)


def _affine_backward(shard_axis: int | None, inputs: tuple, dy: jax.Array) -> tuple:
    x, kernel, bias = inputs
    # XLA on a CPU has no product of two bfloat16 matrices that is summed in float32.
    rows = (-1,) if dy.dtype == jnp.float32 else x.shape[:-1]
    x_RD, dy_R = x.reshape(*rows, x.shape[-1]), dy.reshape(*rows, *dy.shape[x.ndim - 1 :])
    row_axes, output_axes = list(range(len(rows))), list(range(1, kernel.ndim))
    full_kernel = gather(kernel.astype(dy.dtype), shard_axis)
    precision = matmul_precision(dy)
    dx_RD = jnp.tensordot(dy_R, full_kernel, axes=([*range(len(rows), dy_R.ndim)], output_axes), precision=precision)
    dkernel = jnp.tensordot(
        x_RD, dy_R, axes=(row_axes, row_axes), precision=precision, preferred_element_type=kernel.dtype
    )
    if shard_axis is not None:
        dkernel = jax.lax.psum_scatter(dkernel, FSDP_AXIS, scatter_dimension=shard_axis, tiled=True)
    return dx_RD.reshape(x.shape), dkernel, None if bias is None else dy_R.astype(bias.dtype).sum(row_axes)


_affine_with_gradient = jax.custom_vjp(_affine, nondiff_argnums=(0,))
_affine_with_gradient.defvjp(_affine_forward, _affine_backward)


def sharded_axis(full_shape: tuple[int, ...], shape: tuple[int, ...]) -> int | None:
    """The first axis of a parameter that is shorter than in full; None where there is none."""
    return next((axis for axis, size in enumerate(full_shape) if shape[axis] < size), None)


class Linear(nnx.Module):
    """y = x @ kernel (+ bias), in the type of x.

    `shape` is the shape of the full kernel: `inputs` input axes, then the output axes. Inside a `jax.shard_map` the
    parameter may be smaller: then it is this device's shard of the kernel, see `affine`.
    """

    def __init__(self, shape: tuple[int, ...], bias: bool = True, inputs: int = 1):
        self.shape = shape
        self.kernel = nnx.Param(jnp.zeros(shape))
        self.bias = nnx.Param(jnp.zeros(shape[inputs:])) if bias else None

    @property
    def shard_axis(self) -> int | None:
        """The axis along which this device holds only a shard of the kernel; None for the full kernel."""
        return sharded_axis(self.shape, self.kernel.shape)

    def bias_value(self) -> jax.Array | None:
        """What is added to the products."""
        return None if self.bias is None else self.bias[...]

    def __call__(self, x: jax.Array) -> jax.Array:
        return affine(x, self.kernel[...], self.bias_value(), self.shard_axis)

    def apply_slice(self, x: jax.Array, outputs: slice) -> jax.Array:
        """The layer restricted to a slice of its first output axis, over which its kernel is not sharded."""
        bias = self.bias_value()
        return affine(x, self.kernel[...][:, outputs], None if bias is None else bias[outputs], self.shard_axis)
