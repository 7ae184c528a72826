"""Unit-length embeddings and the products of their rows: every objective works on cosines, in float32."""

import jax
import jax.numpy as jnp


def unit(x: jax.Array) -> jax.Array:
    """x scaled to length 1 along the last axis, in float32 (a zero vector stays zero)."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))


def products(x_E: jax.Array, y_NE: jax.Array) -> jax.Array:
    """x . y for every row of y, [..., N] for x [..., E]; in float32 on machines that would round its factors, too.

    As in a matrix product y may be a batch, [B, N, E] for x [B, M, E].
    """
    return jnp.matmul(x_E, y_NE.mT, precision=jax.lax.Precision.HIGHEST)
