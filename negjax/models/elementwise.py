"""Layers without matrix products: activations and norms."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from negjax.models.architecture import Activation

_BATCH_NORM_EPS = 1e-5


def activate(x: jax.Array, activation: Activation) -> jax.Array:
    """Applies an activation function elementwise.

    Args:
        x: Any shape.
        activation: Exact GELU ("gelu"), its tanh approximation ("gelu_tanh"), OpenAI CLIP's x * sigmoid(1.702 x)
            ("quick_gelu"), max(x, 0) ("relu"), or x * sigmoid(x) ("silu").

    Returns:
        The activations, in the shape and type of `x`.
    """
    if activation == "quick_gelu":
        return x * jax.nn.sigmoid(1.702 * x)
    if activation == "relu":
        return jax.nn.relu(x)
    if activation == "silu":
        return jax.nn.silu(x)
    if activation == "gelu_tanh":
        return jax.nn.gelu(x, approximate=True)
    return 0.5 * x * _erfc(-x * np.sqrt(0.5).astype(x.dtype))


@jax.custom_jvp
def _erfc(x: jax.Array) -> jax.Array:
    """1 - erf(x). Its own derivative, because that of JAX 0.12 cannot be traced within `jax.shard_map`."""
    return jax.lax.erfc(x)


_erfc.defjvps(lambda tangent, _, x: jnp.asarray(-2 / np.sqrt(np.pi), x.dtype) * (tangent * jnp.exp(-jnp.square(x))))


class LayerNorm(nnx.Module):
    """Layer norm over the last axis, computed in float32 and returned in the type of the input."""

    def __init__(self, width: int, eps: float):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.eps = eps

    def __call__(self, x: jax.Array) -> jax.Array:
        x32 = x.astype(jnp.float32)
        mean = x32.mean(-1, keepdims=True)
        variance = jnp.square(x32 - mean).mean(-1, keepdims=True)
        normed = (x32 - mean) * jax.lax.rsqrt(variance + self.eps)
        return (normed * self.scale[...] + self.bias[...]).astype(x.dtype)


class BatchNorm(nnx.Module):
    """Batch norm with stored statistics, computed in float32 and returned in the type of the input.

    It normalises with the statistics that it was trained with, in training too, where these are frozen: batches are
    divided over devices and objectives, and an embedding must not depend on the other images of its batch.
    """

    def __init__(self, width: int):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.mean = nnx.Param(jnp.zeros(width))
        self.variance = nnx.Param(jnp.ones(width))

    def __call__(self, x: jax.Array) -> jax.Array:
        factor = jax.lax.rsqrt(self.variance[...] + _BATCH_NORM_EPS) * self.scale[...]
        return ((x.astype(jnp.float32) - self.mean[...]) * factor + self.bias[...]).astype(x.dtype)
