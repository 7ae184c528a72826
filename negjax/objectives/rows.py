"""The rows of a batch, a few at a time."""

import jax


def each_row(f, *rows: jax.Array, chunk: int = 0) -> tuple:
    """f of every row, stacked: all rows at once, or `chunk` at a time.

    With a chunk nothing inside f is kept for the backward pass, which computes it anew, chunk after chunk.
    """
    if not chunk:
        return jax.vmap(f)(*rows)
    return jax.lax.map(lambda row: jax.checkpoint(f)(*row), rows, batch_size=chunk)
