"""Unit vectors, and comparisons of trees of arrays."""

import jax
import numpy as np


def unit(x: object) -> np.ndarray:
    """Each vector (the last axis) over its length, in float64."""
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def assert_same(got: object, expected: object) -> None:
    """The same tree; its arrays have the same types and bytes, the sign of zeros and NaNs included."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
