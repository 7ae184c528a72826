"""Rows of embeddings on the host: unit length, and which of them are equal."""

import numpy as np


def unit_rows(x: np.ndarray) -> np.ndarray:
    """x scaled to length 1 along the last axis, float32; a zero vector stays zero, and ties with all."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return (x / np.where(length == 0, 1, length)).astype(np.float32)


def distinct_rows(x_NE: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows [U, E], in order of first appearance, and for each row its place among them [N].

    A matrix product may round the same row differently in different places. So products are computed of
    distinct rows and then gathered: equal rows get equal scores, to the bit.
    """
    x_NE = np.ascontiguousarray(x_NE) + x_NE.dtype.type(0)  # turns -0 into 0
    places: dict[bytes, int] = {}
    where_N = np.array([places.setdefault(row.tobytes(), len(places)) for row in x_NE], np.int64)
    first_U = np.unique(where_N, return_index=True)[1]
    return x_NE[first_U], where_N
