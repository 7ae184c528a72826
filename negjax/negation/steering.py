"""Negation steering: the text tower is pushed, block by block, along directions in which negated sentences differ.

Shapes: L blocks of the text tower, D its width, M captions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.negation.method import NegationMethod
from negjax.negation.scorer import CaptionVectors, Directions, EmbedTexts, SteeredText


@dataclass(frozen=True)
class Steering(NegationMethod):
    """T(caption) with h <- (1 - strength) h + strength |h| w_l after each block l, h the state of the end token.

    w_l is the unit normal of a logistic regression, without intercept, that tells plain from negated sentences by h.
    The states after a block are those of steered blocks before it.
    Source: arXiv 2603.20554 (code fawazsammani/negation-steering@10011d9), strength .13, directions from 3,979 pairs of
    a plain and a negated sentence. Published: SimpleNeg top-1 44.9 -> 54.3; an independent run finds 41.6 on NegBench's
    questions. On captions that deny nothing it costs COCO R@1 30.4 -> 26.1: they are left alone here.

    The caption is read as a whole, however many concepts it denies, and also where it only denies. `negjax calibrate`
    fits the directions to a model, from negated captions and what they affirm. For CLIP's text transformers, not for
    encoders such as BERT; every steered caption is encoded in a row of its own.

    Attributes:
        strength: how far the state is pushed (alpha).
        directions: the directions; None where they are not fitted yet.
    """

    strength: float
    directions: Directions | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.check(0 <= self.strength <= 1, "strength", "from 0 to 1")

    def texts(self, parsed: Parsed) -> Sequence[SteeredText]:
        """The caption, steered."""
        return [self._steered(parsed)]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """Each caption's steered embedding."""
        return CaptionVectors((embed_texts([self._steered(parsed) for parsed in captions]),))

    def _steered(self, parsed: Parsed) -> SteeredText:
        if self.directions is None:
            raise NegjaxError(
                "negation steering has no directions for this model: fit them with `negjax calibrate --negation "
                "steering`, and give its file: steering,constants=FILE"
            )
        return SteeredText(parsed.caption, self.strength, self.directions)
