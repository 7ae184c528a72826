"""Subtraction: what is affirmed less a part of what is denied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.language.parsed import Parsed
from negjax.negation.method import NegationMethod, unit_or
from negjax.negation.prompts import affirmed_text, denied_rows, denied_texts
from negjax.negation.scorer import CaptionVectors, EmbedTexts


@dataclass(frozen=True)
class Subtract(NegationMethod):
    """u(T(affirmed) - weight * sum of T("A photo of a X") over the denied concepts X).

    What products do: rclip (weight 1, not normalised), chromem-go, Marqo (negative weights), Weaviate (moveAwayFrom).
    No figures on negation benchmarks are published: it is the control that the other methods must beat.

    A caption that only denies starts from "A photo of something". Several concepts are all subtracted with this weight,
    so the more are denied, the less is left of what is affirmed. Where nothing is left, the affirmed vector stands.

    Attributes:
        weight: how much of each denied concept is subtracted.
    """

    weight: float

    grid: ClassVar = {"weight": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)}

    def __post_init__(self) -> None:
        self.check(self.weight >= 0, "weight", "0 or more")

    def texts(self, parsed: Parsed) -> list[str]:
        """What is affirmed, and each denied concept."""
        return [affirmed_text(parsed), *denied_texts(parsed)]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """One vector of each caption."""
        affirmed_ME = embed_texts([affirmed_text(parsed) for parsed in captions])
        texts, _, start_M = denied_rows(captions)
        denied_ME = np.add.reduceat(embed_texts(texts).astype(np.float64), start_M)
        return CaptionVectors((unit_or(affirmed_ME - self.weight * denied_ME, affirmed_ME),))
