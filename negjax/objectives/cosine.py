"""Unit-length embeddings: every objective works on cosines."""

import jax
import jax.numpy as jnp


def unit(x: jax.Array) -> jax.Array:
    """x scaled to length 1 along the last axis, in float32 (a zero vector stays zero)."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))
