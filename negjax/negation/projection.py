"""Projection with an anchor: the caption less its part along what it denies, and a neutral word in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.language.parsed import Parsed
from negjax.negation.method import NegationMethod, unit_or
from negjax.negation.prompts import denied_rows, denied_texts
from negjax.negation.scorer import CaptionVectors, EmbedTexts

NEUTRAL_WORDS = ("neutral", "balanced")


@dataclass(frozen=True)
class Projection(NegationMethod):
    """u(c - strength * (P c - a)), c = T(caption), P the projection on the span of the denied concepts' embeddings.

    a is the mean embedding of neutral words, times `anchor`. For one concept n, P c = (c.n / n.n) n.
    Source: "Seeing What's Not There" (ICLR 2026, OpenReview Dd86hsSam5), strength 1.9 for CLIP and .3 for NegCLIP tuned
    by NegFull, both tuned on 5 % of COCO's questions. Published for CLIP ViT-B/32: COCO 72.5, VOC 78.6, MSR-VTT 50.0;
    an independent run found 50.9 on COCO. The source's words are not public ("neutral", "balanced", ...), nor is
    whether the negated text holds its cue: `cue` is for that.

    It needs nothing affirmed, so captions that only deny are treated alike. With strength 1 and anchor 0 the result is
    orthogonal to every denied concept; above 1 it turns away from them.

    Attributes:
        strength: how much of the projection is taken away (lambda).
        anchor: the weight of the neutral words, 1 as published.
        cue: whether a denied concept is embedded with its cue, "no dog", instead of "dog".
    """

    strength: float
    anchor: float
    cue: bool

    grid: ClassVar = {"strength": (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3, 1.6, 1.9, 2.2)}

    def __post_init__(self) -> None:
        self.check(self.strength >= 0, "strength", "0 or more")
        self.check(True, "anchor", "a number")

    def texts(self, parsed: Parsed) -> list[str]:
        """The caption, its denied concepts, and the neutral words."""
        return [parsed.caption, *denied_texts(parsed, self._say), *NEUTRAL_WORDS]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """One vector of each caption."""
        caption_ME = embed_texts([parsed.caption for parsed in captions])
        anchor_E = self.anchor * embed_texts(NEUTRAL_WORDS).mean(axis=0, dtype=np.float64)
        texts, _, start_M = denied_rows(captions, self._say)
        denied_PE = embed_texts(texts).astype(np.float64)
        projected_ME = np.stack(
            [
                project(caption_E.astype(np.float64), denied_QE)
                for caption_E, denied_QE in zip(caption_ME, np.split(denied_PE, start_M[1:]))
            ]
        )
        moved_ME = caption_ME - self.strength * (projected_ME - anchor_E)
        return CaptionVectors((unit_or(moved_ME, caption_ME),))

    def _say(self, concept: str) -> str:
        return f"no {concept}" if self.cue else concept


def project(vector_E: np.ndarray, basis_QE: np.ndarray) -> np.ndarray:
    """The orthogonal projection of a vector on the span of Q others, of which some may be equal."""
    if len(basis_QE) == 1:
        return (vector_E @ basis_QE[0]) / (basis_QE[0] @ basis_QE[0]) * basis_QE[0]
    weight_Q = np.linalg.lstsq(basis_QE.T, vector_E, rcond=1e-6)[0]
    return weight_Q @ basis_QE
