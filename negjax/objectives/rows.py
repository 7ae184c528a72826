"""Maps functions over the rows of a batch: all at once, or a few at a time to save memory."""

from collections.abc import Callable

import jax


def map_rows(f: Callable, *rows: jax.Array, chunk: int = 0) -> tuple:
    """f of every row, stacked.

    Args:
        f: a function of one row of each array.
        rows: arrays with the same number of rows.
        chunk: rows taken at a time, 0 for all. With a chunk nothing inside f is kept for the backward pass, which
            computes it again, chunk after chunk.

    Returns:
        what f returns, each array with a leading axis of rows.
    """
    if not chunk:
        return jax.vmap(f)(*rows)
    return jax.lax.map(lambda row: jax.checkpoint(f)(*row), rows, batch_size=chunk)
