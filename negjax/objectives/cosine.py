"""Unit-length embeddings and the products of their rows: every objective works on cosines, in float32."""

import jax
import jax.numpy as jnp


def unit(x: jax.Array) -> jax.Array:
    """x scaled to length 1 along the last axis, in float32 (a zero vector stays zero)."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-24))


def products(x_E: jax.Array, y_NE: jax.Array) -> jax.Array:
    """The inner product of x with every row of y, in float32 also on machines that would round the factors.

    Args:
        x_E: a vector [E], rows [..., E], or a batch of rows [B, M, E].
        y_NE: rows [N, E], or a batch of them [B, N, E] as in a matrix product.

    Returns:
        [N], [..., N] or [B, M, N].
    """
    return jnp.matmul(x_E, y_NE.mT, precision=jax.lax.Precision.HIGHEST)
