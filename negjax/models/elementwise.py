"""Layers without matrix products: activations and layer norm."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation


def activate(x: jax.Array, activation: Activation) -> jax.Array:
    """Applies an activation function elementwise.

    Args:
        x: Any shape.
        activation: Exact GELU ("gelu"), its tanh approximation ("gelu_tanh"), or OpenAI CLIP's x * sigmoid(1.702 x)
            ("quick_gelu").

    Returns:
        The activations, in the shape and type of `x`.
    """
    return x * jax.nn.sigmoid(1.702 * x) if activation == "quick_gelu" else jax.nn.gelu(x, activation == "gelu_tanh")


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
