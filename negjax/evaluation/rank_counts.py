"""Counts, for each query, the answers that score more than the right one, and those that score the same.

Cosines are computed on the device in tiles of B x T and only counted, never kept: a million captions against a million
images need the two matrices of embeddings (2 GB each at a width of 512), one more for the distinct answers, and little
else. Scores that are not cosines are computed on the host.
Shapes: N answers, G distinct answers, Q queries, K own answers of a query, E embedding width, B queries and T answers
of a tile.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from negjax.evaluation.embed.vectors import distinct_rows

TILE = (4096, 8192)  # queries and answers of a tile, at most
MAX_SCORES = 1 << 22  # scores on the host at a time


@dataclass(frozen=True)
class Answers:
    """The distinct answers of each gallery.

    Attributes:
        first_G: the first answer of each distinct one.
        gallery_G: its gallery.
        count_G: how often it occurs.
        index_N: the distinct answer of each answer.
    """

    first_G: np.ndarray
    gallery_G: np.ndarray
    count_G: np.ndarray
    index_N: np.ndarray

    @classmethod
    def of(cls, answer_NE: np.ndarray, gallery_N: np.ndarray) -> "Answers":
        """Finds equal answers of one gallery."""
        first_G, index_N = distinct_rows(answer_NE, gallery_N)
        return cls(first_G, gallery_N[first_G], np.bincount(index_N), index_N)


@dataclass(frozen=True)
class Rivals:
    """The answers that compete in each query, and the score that they are compared with.

    Attributes:
        gallery_Q: the gallery whose answers compete.
        right_Q: the score of the right answer.
        own_QK: the query's own distinct answers, which do not compete; -1 where it has fewer than K.
    """

    gallery_Q: np.ndarray
    right_Q: np.ndarray
    own_QK: np.ndarray


def count_scores(
    scores: Callable[[np.ndarray], np.ndarray], answers: Answers, rivals: Rivals
) -> tuple[np.ndarray, np.ndarray]:
    """Counts on the host, for scores of any kind.

    Args:
        scores: the scores of some queries (indices [B]) with all distinct answers [B, G].
        answers: the distinct answers.
        rivals: the scores to beat.

    Returns:
        How many answers score more than the right one [Q], and how many the same [Q].
    """
    queries, total = len(rivals.right_Q), len(answers.count_G)
    better_Q, equal_Q = np.zeros((2, queries), np.int64)
    step = max(1, MAX_SCORES // total)
    for start in range(0, queries, step):
        query_B = np.arange(start, min(start + step, queries))
        score_BG, right_B1 = scores(query_B).astype(np.float32), rivals.right_Q[query_B, None]
        count_BG = np.where(rivals.gallery_Q[query_B, None] == answers.gallery_G, answers.count_G, 0)
        own_B, own_K = np.nonzero(rivals.own_QK[query_B] >= 0)
        count_BG[own_B, rivals.own_QK[query_B][own_B, own_K]] = 0
        better_Q[query_B] = (count_BG * (score_BG > right_B1)).sum(axis=1)
        equal_Q[query_B] = (count_BG * (score_BG == right_B1)).sum(axis=1)
    return better_Q, equal_Q


def count_cosines(
    query_QE: np.ndarray, answer_GE: np.ndarray, answers: Answers, rivals: Rivals, tile: tuple[int, int] = TILE
) -> tuple[np.ndarray, np.ndarray]:
    """Counts on the device, for cosines.

    Args:
        query_QE: embeddings of the queries, unit length.
        answer_GE: embeddings of the distinct answers, unit length.
        answers: the distinct answers.
        rivals: the scores to beat.
        tile: queries and answers compared at a time, at most.

    Returns:
        How many answers score more than the right one [Q], and how many the same [Q].
    """
    queries, total = len(query_QE), len(answer_GE)
    rows, columns = (min(most, _power_of_two(size)) for most, size in zip(tile, (queries, total)))
    better_Q, equal_Q = np.zeros((2, queries), np.int64)
    for start in range(0, total, columns):
        part = slice(start, start + columns)
        answer_tile = _padded(columns, answer_GE[part], answers.gallery_G[part], answers.count_G[part])
        counts = []
        for first in range(0, queries, rows):
            chosen = slice(first, first + rows)
            own_BK = rivals.own_QK[chosen] - start
            query_tile = _padded(rows, query_QE[chosen], rivals.gallery_Q[chosen], rivals.right_Q[chosen], own_BK)
            counts.append(_count_tile(*query_tile, *answer_tile))
        better, equal = (np.concatenate(count_B)[:queries] for count_B in zip(*jax.device_get(counts)))
        better_Q += better
        equal_Q += equal
    return better_Q, equal_Q


@jax.jit
def _count_tile(
    query_BE: jax.Array,
    query_gallery_B: jax.Array,
    right_B: jax.Array,
    own_BK: jax.Array,
    answer_TE: jax.Array,
    answer_gallery_T: jax.Array,
    count_T: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """As `count_cosines`, for one tile; indices in own_BK that are outside the tile are ignored."""
    score_BT = jnp.matmul(query_BE, answer_TE.T, precision=jax.lax.Precision.HIGHEST)
    count_BT = jnp.where(query_gallery_B[:, None] == answer_gallery_T, count_T, 0)
    inside_BK = (own_BK >= 0) & (own_BK < len(count_T))
    index_BK = jnp.where(inside_BK, own_BK, 0)
    own_score_BK = jnp.take_along_axis(score_BT, index_BK, axis=1)
    own_count_BK = jnp.where(inside_BK, count_T[index_BK], 0)

    def count(compare: Callable[[jax.Array, jax.Array], jax.Array]) -> jax.Array:
        all_B = jnp.where(compare(score_BT, right_B[:, None]), count_BT, 0).sum(axis=1)
        return all_B - jnp.where(compare(own_score_BK, right_B[:, None]), own_count_BK, 0).sum(axis=1)

    return count(jnp.greater), count(jnp.equal)


def _padded(size: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays with `size` rows; the new ones are zeros, which count for nothing. Integers become int32."""
    padded = []
    for array in arrays:
        rows = np.zeros((size, *array.shape[1:]), np.int32 if array.dtype.kind == "i" else np.float32)
        rows[: len(array)] = array
        padded.append(rows)
    return padded


def _power_of_two(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()
