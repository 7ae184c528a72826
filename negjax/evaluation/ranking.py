"""Ranks of right answers within galleries, both ways, and recall with ties by expectation.

An image competes only with images of its gallery, a caption only with captions of its gallery's images.
Shapes: N images (rows of the set), C captions, E embedding width, Q queries, G distinct answers, P pairs.
"""

from dataclasses import dataclass

import numpy as np

from negjax.evaluation.rank_counts import TILE, Answers, Rivals, count_cosines, count_scores
from negjax.negation.scorer import CaptionVectors

MAX_PAIRS = 1 << 14  # pairs scored at a time


@dataclass(frozen=True)
class Ranks:
    """Where the right answer of each query ranks.

    Attributes:
        query_Q: the queries (captions or images).
        right_Q: the right answer of each.
        better_Q: how many answers are strictly better.
        ties_Q: how many other answers score the same.
    """

    query_Q: np.ndarray
    right_Q: np.ndarray
    better_Q: np.ndarray
    ties_Q: np.ndarray

    def recall(self, k: int) -> np.ndarray:
        """Credit of each query [Q]: the probability of being in the top k when ties are broken at random."""
        equal_Q = self.ties_Q + 1
        return np.clip(k - self.better_Q, 0, equal_Q) / equal_Q


def image_retrieval(
    image_NE: np.ndarray,
    captions: CaptionVectors,
    owner_C: np.ndarray,
    gallery_N: np.ndarray,
    tile: tuple[int, int] = TILE,
) -> Ranks:
    """Text to image: the rank of each caption's image in its gallery.

    Args:
        image_NE: images, unit length.
        captions: query vectors of the captions.
        owner_C: the image of each caption.
        gallery_N: each image's gallery.
        tile: queries and answers compared at a time, at most.
    """
    gallery_N = np.unique(gallery_N, return_inverse=True)[1]
    answers = Answers.of(image_NE, gallery_N)
    own_C1 = answers.index_N[owner_C][:, None]
    query_C = np.arange(len(owner_C))
    right_C = _pair_scores(image_NE, owner_C, captions, query_C)
    rivals = Rivals(gallery_N[owner_C], right_C, own_C1)
    if captions.combine is None:
        (caption_CE,) = captions.vector_KCE
        better_C, equal_C = count_cosines(caption_CE, image_NE[answers.first_G], answers, rivals, tile)
    else:
        answer_EG = image_NE[answers.first_G].astype(np.float64).T

        def scores(query_B: np.ndarray) -> np.ndarray:
            return captions.scores(lambda vector_CE: vector_CE[query_B] @ answer_EG, query_B[:, None])

        better_C, equal_C = count_scores(scores, answers, rivals)
    ties_C = equal_C + answers.count_G[own_C1[:, 0]] - 1
    return Ranks(query_C, owner_C, better_C, ties_C)


def text_retrieval(
    image_NE: np.ndarray,
    captions: CaptionVectors,
    owner_C: np.ndarray,
    gallery_N: np.ndarray,
    tile: tuple[int, int] = TILE,
) -> Ranks:
    """Image to text: for each image that has captions, the rank of the best of them (the first of equals).

    An image's other captions never count against it. Arguments as in `image_retrieval`.
    """
    gallery_N = np.unique(gallery_N, return_inverse=True)[1]
    first_CE, *more_CE = captions.vector_KCE
    caption_CF = np.concatenate([first_CE, *more_CE], axis=1) if more_CE else first_CE
    answers = Answers.of(caption_CF, gallery_N[owner_C])
    query_Q, query_C = np.unique(owner_C, return_inverse=True)
    # Pairs of a query and a distinct caption of its own, ordered by query.
    pair_P, first_P, times_P = np.unique(
        query_C * len(answers.count_G) + answers.index_N, return_index=True, return_counts=True
    )
    query_P, own_P = np.divmod(pair_P, len(answers.count_G))
    score_P = _pair_scores(image_NE, owner_C[first_P], captions, first_P)
    best_Q = np.full(len(query_Q), -np.inf, np.float32)
    np.maximum.at(best_Q, query_P, score_P)
    best_P = score_P == best_Q[query_P]
    right_Q = np.full(len(query_Q), len(owner_C))
    np.minimum.at(right_Q, query_P[best_P], first_P[best_P])
    twins_P = answers.count_G[own_P] - times_P  # equal captions of other images
    twins_Q = np.bincount(query_P, twins_P * best_P, len(query_Q)).astype(np.int64)
    slot_P = np.arange(len(query_P)) - np.searchsorted(query_P, query_P)
    own_QK = np.full((len(query_Q), slot_P.max() + 1), -1)
    own_QK[query_P, slot_P] = own_P
    rivals = Rivals(gallery_N[query_Q], best_Q, own_QK)
    image_QE = image_NE if len(query_Q) == len(image_NE) else image_NE[query_Q]
    if captions.combine is None:
        better_Q, equal_Q = count_cosines(image_QE, first_CE[answers.first_G], answers, rivals, tile)
    else:
        first_G = answers.first_G

        def scores(query_B: np.ndarray) -> np.ndarray:
            image_BE = image_QE[query_B].astype(np.float64)
            return captions.scores(lambda vector_CE: image_BE @ vector_CE[first_G].T, first_G[None])

        better_Q, equal_Q = count_scores(scores, answers, rivals)
    return Ranks(query_Q, right_Q, better_Q, equal_Q + twins_Q)


def _pair_scores(
    image_NE: np.ndarray, image_P: np.ndarray, captions: CaptionVectors, caption_P: np.ndarray
) -> np.ndarray:
    """Scores of pairs of an image and a caption, float32 [P]; equal pairs have equal ones."""

    def cosines(caption_CE: np.ndarray) -> np.ndarray:
        cosine_P = np.empty(len(image_P), np.float32)
        for start in range(0, len(image_P), MAX_PAIRS):
            part = slice(start, start + MAX_PAIRS)
            cosine_P[part] = (image_NE[image_P[part]].astype(np.float64) * caption_CE[caption_P[part]]).sum(axis=1)
        return cosine_P

    return captions.scores(cosines, caption_P)
