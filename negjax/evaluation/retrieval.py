"""Ranks within galleries, both ways, and recall with ties by expectation.

Shapes: N images (rows of the set), C captions, E embedding width. An image competes only with images of its
gallery, a caption only with captions of its gallery's images. Never more than a block of scores is held.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from negjax.evaluation.embeddings import distinct_rows

BLOCK = 1 << 22  # scores held at once


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


def image_retrieval(image_NE: np.ndarray, caption_CE: np.ndarray, owner_C: np.ndarray, gallery_N: np.ndarray) -> Ranks:
    """Text to image: for each caption the rank of its image in its gallery.

    image_NE, caption_CE: unit length. owner_C: the image of each caption. gallery_N: each image's gallery.
    """
    return _by_gallery(rank_images, image_NE, caption_CE, owner_C, gallery_N)


def text_retrieval(image_NE: np.ndarray, caption_CE: np.ndarray, owner_C: np.ndarray, gallery_N: np.ndarray) -> Ranks:
    """Image to text: for each image that has captions, the rank of the best of them (the first of equals).

    An image's other captions never count against it. Arguments as in `image_retrieval`.
    """
    return _by_gallery(rank_captions, image_NE, caption_CE, owner_C, gallery_N)


def rank_images(image_NE: np.ndarray, caption_CE: np.ndarray, owner_C: np.ndarray, block: int = 0) -> Ranks:
    """Text to image within one gallery, `block` captions at a time."""
    image_UE, where_N = distinct_rows(image_NE)
    image_UE = image_UE.astype(np.float64)
    block = block or max(1, BLOCK // len(image_NE))
    better_C, ties_C = np.zeros((2, len(owner_C)), np.int64)
    for start in range(0, len(owner_C), block):
        part = slice(start, start + block)
        score_BN = (caption_CE[part].astype(np.float64) @ image_UE.T)[:, where_N]
        right_B1 = np.take_along_axis(score_BN, owner_C[part, None], axis=1)
        better_C[part] = (score_BN > right_B1).sum(axis=1)
        ties_C[part] = (score_BN == right_B1).sum(axis=1) - 1
    return Ranks(np.arange(len(owner_C)), owner_C, better_C, ties_C)


def rank_captions(image_NE: np.ndarray, caption_CE: np.ndarray, owner_C: np.ndarray, block: int = 0) -> Ranks:
    """Image to text within one gallery, `block` images at a time; images without captions are not queries."""
    caption_UE, where_C = distinct_rows(caption_CE)
    caption_UE = caption_UE.astype(np.float64)
    query_Q = np.unique(owner_C)
    block = block or max(1, BLOCK // len(caption_CE))
    right_Q, better_Q, ties_Q = np.zeros((3, len(query_Q)), np.int64)
    for start in range(0, len(query_Q), block):
        part = slice(start, start + block)
        score_BC = (image_NE[query_Q[part]].astype(np.float64) @ caption_UE.T)[:, where_C]
        own_BC = owner_C == query_Q[part, None]
        right_Q[part] = np.where(own_BC, score_BC, -np.inf).argmax(axis=1)
        right_B1 = np.take_along_axis(score_BC, right_Q[part, None], axis=1)
        better_Q[part] = (~own_BC & (score_BC > right_B1)).sum(axis=1)
        ties_Q[part] = (~own_BC & (score_BC == right_B1)).sum(axis=1)
    return Ranks(query_Q, right_Q, better_Q, ties_Q)


def _by_gallery(
    rank: Callable[[np.ndarray, np.ndarray, np.ndarray], Ranks],
    image_NE: np.ndarray,
    caption_CE: np.ndarray,
    owner_C: np.ndarray,
    gallery_N: np.ndarray,
) -> Ranks:
    """Ranks of all galleries together, in the order of the queries, places counted over the whole set."""
    gallery_C, parts = gallery_N[owner_C], []
    for gallery in np.unique(gallery_C):
        images, captions = np.flatnonzero(gallery_N == gallery), np.flatnonzero(gallery_C == gallery)
        owner = np.searchsorted(images, owner_C[captions])
        ranks = rank(image_NE[images], caption_CE[captions], owner)
        queries, answers = (captions, images) if rank is rank_images else (images, captions)
        parts.append((queries[ranks.query_Q], answers[ranks.right_Q], ranks.better_Q, ranks.ties_Q))
    query, right, better, ties = (np.concatenate(columns) for columns in zip(*parts))
    order = np.argsort(query)
    return Ranks(query[order], right[order], better[order], ties[order])
