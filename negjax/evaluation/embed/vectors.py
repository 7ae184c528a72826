"""Embeddings on the host: unit length, equal rows, and cosines that tie exactly for equal rows."""

import hashlib

import numpy as np


def unit_rows(x: np.ndarray) -> np.ndarray:
    """x scaled to length 1 along the last axis, float32; a zero vector stays zero."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return (x / np.where(length == 0, 1, length)).astype(np.float32)


def distinct_rows(x_NE: np.ndarray, part_N: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Finds equal rows.

    A matrix product may round the same row differently at different positions. So products are computed of distinct
    rows and then gathered: equal rows get equal scores, to the bit.

    Args:
        x_NE: rows of numbers.
        part_N: rows of different parts count as different; None for a single part.

    Returns:
        The indices of the distinct rows [U], in order of first appearance, and for each row its index among them [N].
    """
    seen: dict[tuple[int, bytes], int] = {}
    inverse_N = np.empty(len(x_NE), np.int64)
    for n, row in enumerate(x_NE):
        content = hashlib.blake2b((row + row.dtype.type(0)).tobytes(), digest_size=16).digest()  # + 0 turns -0 into 0
        inverse_N[n] = seen.setdefault((0 if part_N is None else int(part_N[n]), content), len(seen))
    return np.unique(inverse_N, return_index=True)[1], inverse_N


def cosine_matrix(left_NE: np.ndarray, right_KE: np.ndarray, block: int = 1024) -> np.ndarray:
    """Cosine of each left row with each right row, of unit length; equal right rows tie exactly.

    Args:
        left_NE: rows, scored `block` at a time.
        right_KE: rows.
        block: left rows scored at a time.

    Returns:
        float32 [N, K], of products in float64.
    """
    first_U, inverse_K = distinct_rows(right_KE)
    right_EU = right_KE[first_U].astype(np.float64).T
    cosine_NK = np.empty((len(left_NE), len(right_KE)), np.float32)
    for start in range(0, len(left_NE), block):
        left_BE = left_NE[start : start + block].astype(np.float64)
        cosine_NK[start : start + block] = (left_BE @ right_EU)[:, inverse_K]
    return cosine_NK
