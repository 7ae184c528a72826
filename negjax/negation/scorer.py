"""Scores of captions against images: the cosine by default, or any other `Scorer`.

A `Scorer` names the texts that a model must embed, and turns their embeddings into one or several query vectors for
each caption. Every task kind and every blind figure takes its scores from the resulting `CaptionVectors`, so a new
scorer needs no change elsewhere.
Shapes: C captions, K query vectors of each, E embedding width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]  # cosines [..., K] and caption indices [...] -> scores [...]


@dataclass(frozen=True, eq=False)  # found by identity in dictionaries of many texts
class Directions:
    """A direction for each block of a text tower.

    Attributes:
        rows: L rows of D numbers, of unit length.
    """

    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SteeredText:
    """A text that is encoded with the tower steered, see `negjax.negation.steering`."""

    text: str
    strength: float
    directions: Directions


AnyText = str | SteeredText
EmbedTexts = Callable[[Sequence[AnyText]], np.ndarray]  # n texts -> their embeddings, float32 [n, E], unit length


@dataclass(frozen=True)
class CaptionVectors:
    """The query vectors of C captions, and how cosines with them become scores.

    Attributes:
        vector_KCE: K arrays [C, E], float32. The first is used where a caption needs a single
            vector; the others are of unit length, or means of unit vectors (their product with an image is then a
            mean of cosines).
        combine: makes scores of cosines with all K vectors; None where K is 1 and the cosine is the score.
        combined_C: the captions whose score `combine` decides; that of the others is the cosine with the first vector.
            None for all.
    """

    vector_KCE: tuple[np.ndarray, ...]
    combine: Combine | None = None
    combined_C: np.ndarray | None = None

    def scores(self, cosines: Callable[[np.ndarray], np.ndarray], caption_index: np.ndarray) -> np.ndarray:
        """Scores from any function of query vectors to cosines; for one vector exactly what that function returns.

        Args:
            cosines: maps query vectors [C, E], one for each caption, to an array of cosines.
            caption_index: the caption of each of these cosines; broadcast to their shape.

        Returns:
            Scores of the shape and type that `cosines` returns.
        """
        if self.combine is None:
            return cosines(self.vector_KCE[0])
        cosine_K = [cosines(vector_CE) for vector_CE in self.vector_KCE]
        return self.joined(np.stack(cosine_K, axis=-1), np.broadcast_to(caption_index, cosine_K[0].shape))

    def joined(self, cosine_SK: np.ndarray, caption_index_S: np.ndarray) -> np.ndarray:
        """Scores from the cosines with all K vectors.

        Args:
            cosine_SK: cosines of S pairs of a caption and an image; S may be several axes.
            caption_index_S: the captions of these pairs.

        Returns:
            Scores [S], of the type of the cosines.
        """
        if self.combine is None:
            return cosine_SK[..., 0]
        return self.combine(cosine_SK, caption_index_S).astype(cosine_SK.dtype)

    def take(self, index_C: np.ndarray) -> "CaptionVectors":
        """The vectors of these captions, in this order; a plain cosine where `combine` decides the score of none."""
        combine, combined_C = self.combine, self.combined_C
        if combine is None or (combined_C is not None and not combined_C[index_C].any()):
            return CaptionVectors((self.vector_KCE[0][index_C],))
        return CaptionVectors(
            tuple(vector_CE[index_C] for vector_CE in self.vector_KCE),
            lambda cosines, caption_index: combine(cosines, index_C[caption_index]),
            None if combined_C is None else combined_C[index_C],
        )


class Scorer(Protocol):
    """How captions are scored against images."""

    @property
    def reads_images(self) -> bool:
        """Whether the vectors depend on the images that are scored, of which no label is seen."""

    def texts(self, captions: Sequence[str]) -> Sequence[AnyText]:
        """The texts whose embeddings `vectors` needs; a text may occur more than once."""

    def vectors(
        self, captions: Sequence[str], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """The query vectors of these captions.

        Args:
            captions: the captions.
            embed_texts: returns embeddings of the texts that `texts` named.
            image_DE: embeddings of the images that are scored, for a scorer that `reads_images`; None where they are
                not known.
        """


@dataclass(frozen=True)
class CosineScorer:
    """The cosine of caption and image."""

    @property
    def reads_images(self) -> bool:
        """No."""
        return False

    def texts(self, captions: Sequence[str]) -> list[str]:
        """The captions themselves."""
        return list(captions)

    def vectors(
        self, captions: Sequence[str], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """Each caption's embedding."""
        return CaptionVectors((embed_texts(captions),))


def caption_vectors(
    scorer: Scorer,
    captions: Sequence[str],
    texts: Sequence[AnyText],
    text_XE: np.ndarray,
    image_DE: np.ndarray | None = None,
) -> CaptionVectors:
    """The query vectors of captions, from the embeddings [X, E] of the distinct texts that the scorer named.

    image_DE: see `Scorer.vectors`.
    """
    index = {text: i for i, text in enumerate(texts)}

    def embed_texts(chosen: Sequence[AnyText]) -> np.ndarray:
        index_N = np.array([index[text] for text in chosen], np.int64)
        return text_XE if np.array_equal(index_N, np.arange(len(text_XE))) else text_XE[index_N]

    return scorer.vectors(captions, embed_texts, image_DE)
