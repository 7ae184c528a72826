"""Rows of embeddings on the host: unit length, and which of them are equal."""

import hashlib

import numpy as np


def unit_rows(x: np.ndarray) -> np.ndarray:
    """x scaled to length 1 along the last axis, float32; a zero vector stays zero, and ties with all."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return (x / np.where(length == 0, 1, length)).astype(np.float32)


def distinct_rows(x_NE: np.ndarray, apart_N: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Places of the distinct rows [U], in order of first appearance, and for each row its place among them [N].

    apart_N: rows with different numbers are different.
    A matrix product may round the same row differently in different places. So products are computed of
    distinct rows and then gathered: equal rows get equal scores, to the bit.
    """
    places: dict[tuple[int, bytes], int] = {}
    where_N = np.empty(len(x_NE), np.int64)
    for n, row in enumerate(x_NE):
        content = hashlib.blake2b((row + row.dtype.type(0)).tobytes(), digest_size=16).digest()  # + 0 turns -0 into 0
        where_N[n] = places.setdefault((0 if apart_N is None else int(apart_N[n]), content), len(places))
    return np.unique(where_N, return_index=True)[1], where_N
