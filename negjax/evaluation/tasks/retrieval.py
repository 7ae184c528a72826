"""Ranks within galleries, both ways, and recall with ties by expectation.

Shapes: N images (rows of the set), C captions, E embedding width, Q queries, G distinct answers, B queries and T
answers of a tile. An image competes only with images of its gallery, a caption only with captions of its gallery's
images.

Scores are computed on the device in tiles of B x T and only counted, never kept: a million captions against a million
images need the two matrices of embeddings (2 GB each at a width of 512), one more for the distinct answers, and little
else.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from negjax.evaluation.embed.vectors import distinct_rows

TILE = (4096, 8192)  # queries and answers of a tile, at most


@dataclass(frozen=True)
class Ranks:
    """Where the right answer of each query stands.

    query_Q: place of the query (a caption or an image); right_Q: place of its right answer.
    better_Q: how many are strictly better; ties_Q: how many others score the same.
    """

    query_Q: np.ndarray
    right_Q: np.ndarray
    better_Q: np.ndarray
    ties_Q: np.ndarray

    def recall(self, k: int) -> np.ndarray:
        """Credit of each query [Q]: the chance to be in the top k when equals are put in random order."""
        equal_Q = self.ties_Q + 1
        return np.clip(k - self.better_Q, 0, equal_Q) / equal_Q


def image_retrieval(
    image_NE: np.ndarray,
    caption_CE: np.ndarray,
    owner_C: np.ndarray,
    gallery_N: np.ndarray,
    tile: tuple[int, int] = TILE,
) -> Ranks:
    """Text to image: for each caption the rank of its image in its gallery.

    image_NE, caption_CE: unit length. owner_C: the image of each caption. gallery_N: each image's gallery.
    """
    gallery_N = np.unique(gallery_N, return_inverse=True)[1]
    answers = _Answers(image_NE, gallery_N)
    own_C1 = answers.place_N[owner_C][:, None]
    query_C = np.arange(len(owner_C))
    right_C = _scores(image_NE, owner_C, caption_CE, query_C)
    better_C, equal_C = _count(answers, caption_CE, query_C, gallery_N[owner_C], right_C, own_C1, tile)
    ties_C = equal_C + answers.count_G[own_C1[:, 0]] - 1
    return Ranks(query_C, owner_C, better_C, ties_C)


def text_retrieval(
    image_NE: np.ndarray,
    caption_CE: np.ndarray,
    owner_C: np.ndarray,
    gallery_N: np.ndarray,
    tile: tuple[int, int] = TILE,
) -> Ranks:
    """Image to text: for each image that has captions, the rank of the best of them (the first of equals).

    An image's other captions never count against it. Arguments as in `image_retrieval`.
    """
    gallery_N = np.unique(gallery_N, return_inverse=True)[1]
    answers = _Answers(caption_CE, gallery_N[owner_C])
    query_Q, query_C = np.unique(owner_C, return_inverse=True)
    # P pairs of a query and a distinct caption that is its own, ordered by query
    pair_P, first_P, times_P = np.unique(
        query_C * len(answers.count_G) + answers.place_N, return_index=True, return_counts=True
    )
    query_P, own_P = np.divmod(pair_P, len(answers.count_G))
    score_P = _scores(image_NE, owner_C[first_P], caption_CE, first_P)
    best_Q = np.full(len(query_Q), -np.inf, np.float32)
    np.maximum.at(best_Q, query_P, score_P)
    best_P = score_P == best_Q[query_P]
    right_Q = np.full(len(query_Q), len(owner_C))
    np.minimum.at(right_Q, query_P[best_P], first_P[best_P])
    twins_P = answers.count_G[own_P] - times_P  # equal captions, of other images
    twins_Q = np.bincount(query_P, twins_P * best_P, len(query_Q)).astype(np.int64)
    slot_P = np.arange(len(query_P)) - np.searchsorted(query_P, query_P)
    own_QK = np.full((len(query_Q), slot_P.max() + 1), -1)
    own_QK[query_P, slot_P] = own_P
    better_Q, equal_Q = _count(answers, image_NE, query_Q, gallery_N[query_Q], best_Q, own_QK, tile)
    return Ranks(query_Q, right_Q, better_Q, equal_Q + twins_Q)


class _Answers:
    """The distinct answers [G] of each gallery, how often each occurs, and the place of each answer among them [N]."""

    def __init__(self, answer_NE: np.ndarray, gallery_N: np.ndarray):
        first_G, self.place_N = distinct_rows(answer_NE, gallery_N)
        self.vector_GE, self.gallery_G = answer_NE[first_G], gallery_N[first_G]
        self.count_G = np.bincount(self.place_N)


def _scores(
    image_NE: np.ndarray, image_P: np.ndarray, caption_CE: np.ndarray, caption_P: np.ndarray, block: int = 1 << 14
) -> np.ndarray:
    """Cosines of pairs of rows, named by their places, float32 [P]; equal pairs have equal ones."""
    score_P = np.empty(len(image_P), np.float32)
    for start in range(0, len(image_P), block):
        part = slice(start, start + block)
        score_P[part] = (image_NE[image_P[part]].astype(np.float64) * caption_CE[caption_P[part]]).sum(axis=1)
    return score_P


def _count(
    answers: _Answers,
    vector_NE: np.ndarray,
    query_Q: np.ndarray,
    gallery_Q: np.ndarray,
    right_Q: np.ndarray,
    own_QK: np.ndarray,
    tile: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """How many answers of a query's gallery score more than right_Q, and how many the same [Q], its own left out.

    query_Q: the queries' places in vector_NE. own_QK: the query's own distinct answers, -1 where it has fewer than K.
    """
    queries, total = len(query_Q), len(answers.count_G)
    rows, columns = (min(most, _power_of_two(size)) for most, size in zip(tile, (queries, total)))
    better_Q, equal_Q = np.zeros((2, queries), np.int64)
    for start in range(0, total, columns):
        part = slice(start, start + columns)
        answer = _padded(columns, answers.vector_GE[part], answers.gallery_G[part], answers.count_G[part])
        counts = []
        for first in range(0, queries, rows):
            here = slice(first, first + rows)
            query = _padded(rows, vector_NE[query_Q[here]], gallery_Q[here], right_Q[here], own_QK[here] - start)
            counts.append(_count_tile(*query, *answer))
        better, equal = (np.concatenate(each)[:queries] for each in zip(*jax.device_get(counts)))
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
    """As `_count`, for one tile; places in own_BK that lie outside it are not in it."""
    score_BT = jnp.matmul(query_BE, answer_TE.T, precision=jax.lax.Precision.HIGHEST)
    count_BT = jnp.where(query_gallery_B[:, None] == answer_gallery_T, count_T, 0)
    inside_BK = (own_BK >= 0) & (own_BK < len(count_T))
    place_BK = jnp.where(inside_BK, own_BK, 0)
    own_score_BK = jnp.take_along_axis(score_BT, place_BK, axis=1)
    own_count_BK = jnp.where(inside_BK, count_T[place_BK], 0)

    def counted(is_so: Callable[[jax.Array, jax.Array], jax.Array]) -> jax.Array:
        all_B = jnp.where(is_so(score_BT, right_B[:, None]), count_BT, 0).sum(axis=1)
        return all_B - jnp.where(is_so(own_score_BK, right_B[:, None]), own_count_BK, 0).sum(axis=1)

    return counted(jnp.greater), counted(jnp.equal)


def _padded(size: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays with `size` rows; the new ones are zeros, which count for nothing. Integers become int32."""
    made = []
    for array in arrays:
        whole = np.zeros((size, *array.shape[1:]), np.int32 if array.dtype.kind == "i" else np.float32)
        whole[: len(array)] = array
        made.append(whole)
    return made


def _power_of_two(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()
