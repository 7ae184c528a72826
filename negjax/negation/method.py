"""The interface of a method, and the scorer that uses one on the captions that it changes and on no others.

Shapes: C captions, M of them that a method changes, K query vectors of each, E embedding width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.negation.scorer import AnyText, CaptionVectors, EmbedTexts

Split = Callable[[str], Parsed]


@dataclass(frozen=True)
class NegationMethod:
    """A method: how captions that deny something are scored. Its fields are its constants.

    Attributes:
        is_one_vector: whether images rank for a caption by the cosine with one query vector, which any vector database
            takes.
        reads_images: whether scores depend on the images that are scored, see `Scorer`.
        grid: constant -> the values among which `negjax calibrate` chooses.
    """

    is_one_vector: ClassVar[bool] = True
    reads_images: ClassVar[bool] = False
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    def changes(self, parsed: Parsed) -> bool:
        """Whether the method changes the score of a caption; all others keep their cosine to the last bit."""
        return bool(parsed.negated)

    def texts(self, parsed: Parsed) -> Sequence[AnyText]:
        """The texts whose embeddings `vectors` needs for a caption that it changes."""
        raise NotImplementedError

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """The query vectors of captions that the method changes.

        Args:
            captions: the captions.
            embed_texts: returns embeddings of unit length of the texts that `texts` named.
            image_DE: the images that are scored, for a method that `reads_images`; None where they are not known.
        """
        raise NotImplementedError

    def presence_texts(self, concept: str) -> list[str]:
        """The texts whose mean cosine with an image tells whether a concept is there, for `fit_presence`."""
        return []

    def fit_presence(self, present: np.ndarray, absent: np.ndarray) -> dict[str, float]:
        """Constants that follow from the mean cosines of images with concepts that are there, and that are not."""
        return {}

    def check(self, is_right: bool, constant: str, demand: str) -> None:
        """Checks a constant.

        Args:
            is_right: whether it is what the method demands.
            constant: its name.
            demand: what it must be: "above 0".

        Raises:
            NegjaxError: it is not, or not finite.
        """
        value = getattr(self, constant)
        if not is_right or not math.isfinite(value):
            raise NegjaxError(f"negation {type(self).__name__.lower()}: {constant} is {value:g}, it must be {demand}")


@dataclass(frozen=True)
class NegationScorer:
    """Scores captions by a method; a caption that it does not change by the cosine with its embedding.

    Attributes:
        method: the method.
        split: reads a caption.
    """

    method: NegationMethod
    split: Split

    def texts(self, captions: Sequence[str]) -> list[AnyText]:
        """What the method needs of captions that it changes; the others themselves."""
        texts: list[AnyText] = []
        for parsed in map(self.split, captions):
            texts += self.method.texts(parsed) if self.method.changes(parsed) else [parsed.caption]
        return texts

    @property
    def reads_images(self) -> bool:
        """See `Scorer`."""
        return self.method.reads_images

    def vectors(
        self, captions: Sequence[str], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """The query vectors of captions."""
        parsed = [self.split(caption) for caption in captions]
        changed_C = np.array([self.method.changes(each) for each in parsed], bool)
        if not changed_C.any():
            return CaptionVectors((embed_texts(captions),))
        changed_M, plain = np.flatnonzero(changed_C), np.flatnonzero(~changed_C)
        moved = self.method.vectors([parsed[c] for c in changed_M], embed_texts, image_DE)
        vector_KCE = [np.zeros((len(captions), vector_ME.shape[1]), np.float32) for vector_ME in moved.vector_KCE]
        for vector_CE, vector_ME in zip(vector_KCE, moved.vector_KCE):
            vector_CE[changed_M] = vector_ME
        if len(plain):
            vector_KCE[0][plain] = embed_texts([parsed[c].caption for c in plain])
        combine = moved.combine
        if combine is None:
            return CaptionVectors(tuple(vector_KCE))
        place_C = np.maximum(np.cumsum(changed_C) - 1, 0)  # of each changed caption among the changed ones

        def combine_changed(cosines: np.ndarray, caption_index: np.ndarray) -> np.ndarray:
            scores = combine(cosines, place_C[caption_index])
            return np.where(changed_C[caption_index], scores, cosines[..., 0])

        return CaptionVectors(tuple(vector_KCE), combine_changed, changed_C)


def unit_or(x_ME: np.ndarray, otherwise_ME: np.ndarray) -> np.ndarray:
    """x scaled to unit length, float32; where nothing is left of it (a query that excludes what it asks), otherwise."""
    length_M1 = np.linalg.norm(x_ME, axis=-1, keepdims=True)
    vanished_M1 = length_M1 < 1e-6  # the rounding of float32 embeddings
    return np.where(vanished_M1, otherwise_ME, x_ME / np.where(vanished_M1, 1, length_M1)).astype(np.float32)
