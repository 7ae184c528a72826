"""DEO, direct embedding optimisation, in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.negation.method import NegationMethod, unit_or
from negjax.negation.prompts import affirmed_text, denied_rows, denied_texts
from negjax.negation.scorer import CaptionVectors, EmbedTexts


@dataclass(frozen=True)
class DEO(NegationMethod):
    """The minimum over e of toward * mean|e - p|^2 - away * mean|e - n|^2 + stay * |e - o|^2, of unit length.

    p are the texts of what is affirmed, n of what is denied, o the caption's embedding. The minimum is
    (toward * mean(p) - away * mean(n) + stay * o) / (toward - away + stay); without a bound where away >= toward +
    stay, which is refused.
    Source: DEO (arXiv 2603.09185), all three 1 for image search, where a language model writes p and n and 50 steps of
    Adam go most of the way (cosine .9998 with this form). Published: COCO-Neg R@5 47.9 -> 53.9, NegRefCOCOg 58.9.

    Here p is what the split leaves ("A photo of something" where nothing is left), and n is "A photo of a X" for each
    denied concept: several are averaged, so that each counts for less.

    Attributes:
        toward: weight of what is affirmed.
        away: weight of what is denied.
        stay: weight of the caption itself.
    """

    toward: float
    away: float
    stay: float

    grid: ClassVar = {"away": (0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7)}

    def __post_init__(self) -> None:
        for constant in ("toward", "away", "stay"):
            self.check(getattr(self, constant) >= 0, constant, "0 or more")
        if self.away >= self.toward + self.stay:
            raise NegjaxError(
                f"negation deo: away {self.away:g} is not below toward {self.toward:g} + stay {self.stay:g}: what is "
                "minimised has no bound then; lower away"
            )

    def texts(self, parsed: Parsed) -> list[str]:
        """The caption, what it affirms, and each denied concept."""
        return [parsed.caption, affirmed_text(parsed), *denied_texts(parsed)]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """One vector of each caption."""
        caption_ME = embed_texts([parsed.caption for parsed in captions])
        affirmed_ME = embed_texts([affirmed_text(parsed) for parsed in captions])
        texts, owner_P, start_M = denied_rows(captions)
        denied_ME = np.add.reduceat(embed_texts(texts).astype(np.float64), start_M) / np.bincount(owner_P)[:, None]
        moved_ME = self.toward * affirmed_ME - self.away * denied_ME + self.stay * caption_ME
        return CaptionVectors((unit_or(moved_ME, affirmed_ME),))
