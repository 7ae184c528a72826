"""SpaceVLM: the direction between the cap of what is affirmed and the edge of the cap of what is denied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.language.parsed import Parsed
from negjax.negation.method import NegationMethod, unit_or
from negjax.negation.prompts import affirmed_text, denied_rows, denied_texts
from negjax.negation.scorer import CaptionVectors, EmbedTexts

SAME_TEXT = 1 - 1e-6  # cosine from which two texts are one: the plane that they span is rounding


@dataclass(frozen=True)
class Space(NegationMethod):
    """The direction d in the plane of a = T(affirmed) and n = T("A photo of a X").

    With alpha = arccos(threshold) the half-angle of the cap of images that a text describes, and theta the angle
    between a and n: d = a where theta >= 2 alpha (the caps do not meet), else
    d = (sin(alpha + theta / 2) a - sin(alpha - theta / 2) n) / sin(theta), of unit length.
    Source: SpaceVLM (arXiv 2511.12331, code sepehrkr/SpaceVLM@d37fec2), whose threshold is .92, or tuned from .90 to
    .95 for each data set. Published for CLIP ViT-B/32 on NegBench's questions: COCO 39.2 -> 66.3, VOC 37.9 -> 81.1,
    MSR-VTT 31.6 -> 58.0, with splits by a language model that was tuned on these very files.

    A caption that only denies starts from "A photo of something". The source has one denied concept: of several, each
    is treated alone and the displacements d - a are added up, whatever their order. Where a and n are one text ("a dog
    without a dog") a stands. The threshold is a cosine of two texts: that of another family of models is another.

    Attributes:
        threshold: the cosine at the edge of a text's cap.
    """

    threshold: float

    grid: ClassVar = {"threshold": (0.7, 0.75, 0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)}

    def __post_init__(self) -> None:
        self.check(-1 < self.threshold < 1, "threshold", "between -1 and 1")

    def texts(self, parsed: Parsed) -> list[str]:
        """What is affirmed, and each denied concept."""
        return [affirmed_text(parsed), *denied_texts(parsed)]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """One vector of each caption."""
        affirmed_ME = embed_texts([affirmed_text(parsed) for parsed in captions]).astype(np.float64)
        texts, owner_P, start_M = denied_rows(captions)
        affirmed_PE = affirmed_ME[owner_P]
        moved_PE = bisect_caps(affirmed_PE, embed_texts(texts).astype(np.float64), self.threshold)
        displacement_ME = np.add.reduceat(moved_PE - affirmed_PE, start_M)
        return CaptionVectors((unit_or(affirmed_ME + displacement_ME, affirmed_ME),))


def bisect_caps(affirmed_PE: np.ndarray, denied_PE: np.ndarray, threshold: float) -> np.ndarray:
    """The directions d of `Space`, of pairs of unit vectors; float64 [P, E]."""
    cosine_P1 = np.clip((affirmed_PE * denied_PE).sum(axis=-1, keepdims=True), -1, 1)
    alpha, theta_P1 = np.arccos(threshold), np.arccos(cosine_P1)
    stays_P1 = (theta_P1 >= 2 * alpha) | (cosine_P1 > SAME_TEXT)
    sine_P1 = np.where(stays_P1, 1, np.sin(theta_P1))
    moved_PE = np.sin(alpha + theta_P1 / 2) * affirmed_PE - np.sin(alpha - theta_P1 / 2) * denied_PE
    return np.where(stays_P1, affirmed_PE, moved_PE / sine_P1)
