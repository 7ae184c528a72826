"""Context: what a concept adds to captions of everyday things, taken off; and a threshold from the images themselves.

Shapes: M captions, N concepts, O contexts, D images, E embedding width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.language.parsed import Parsed
from negjax.language.phrases import with_article
from negjax.negation.method import NegationMethod, unit_or
from negjax.negation.prompts import photo_text
from negjax.negation.scorer import CaptionVectors, EmbedTexts

# The categories of COCO that most of its photographs hold.
CONTEXTS = (
    *("person", "chair", "car", "dining table", "cup", "bottle", "bowl", "handbag", "truck", "bench", "backpack"),
    *("book", "cell phone", "sink", "clock", "tv", "potted plant", "couch", "dog", "knife"),
)


@dataclass(frozen=True)
class Context(NegationMethod):
    """q.I - w mean_c(v_c.I - t_c), over the denied concepts c of a caption.

    v_c = mean over everyday things o of T("A photo of a o with a c") - T("A photo of a o") is the direction in which a
    caption moves that also names c. What all captions share, and what texts differ in from images, cancels in it: on
    drawn scenes it tells presence better than T("a c") does (area under the curve .92, not .88).
    t_c = mean + spread * standard deviation of v_c.I over the images that are scored, which needs no labels. It is the
    same for all of them: it decides between one image's captions, and one caption's images are ranked without it, by
    one query vector.
    Beside something affirmed q is the mean of T(affirmed) and T(caption), and w is `weight`; for a caption that only
    denies q is T(caption), and w is `alone`. An encoder that ignores "no" reads the caption as if it affirmed
    everything, which v_c turns over.
    Source: this project; the constants were fitted on the quickstart's scenes of seed 0 with its pre-trained model.

    Without images (`encode_query`) t_c is 0. Several denied concepts share w.

    Attributes:
        weight: how strongly denials count beside something affirmed.
        alone: how strongly they count in a caption that only denies.
        spread: standard deviations above the mean from which a concept counts as there.
    """

    weight: float
    alone: float
    spread: float

    reads_images: ClassVar[bool] = True
    grid: ClassVar = {
        "weight": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
        "alone": (0.6, 0.8, 1.0, 1.3, 1.6, 2.0),
        "spread": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    }

    def __post_init__(self) -> None:
        for constant in ("weight", "alone"):
            self.check(getattr(self, constant) >= 0, constant, "0 or more")
        self.check(True, "spread", "a number")

    def texts(self, parsed: Parsed) -> list[str]:
        """The caption, what it affirms, and the contexts without and with each denied concept."""
        texts = [parsed.caption, _affirmed_or_caption(parsed), *_context_texts("")]
        return texts + [text for concept in dict.fromkeys(parsed.negated) for text in _context_texts(concept)]

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """One vector of each caption, with the length and the threshold that its cosines lack."""
        denied = [list(dict.fromkeys(parsed.negated)) for parsed in captions]
        concepts = list(dict.fromkeys(concept for names in denied for concept in names))
        direction_NE = _directions(concepts, embed_texts)
        threshold_N = self._thresholds(direction_NE, image_DE)
        index = {concept: n for n, concept in enumerate(concepts)}
        rows = [[index[concept] for concept in names] for names in denied]
        direction_ME = np.stack([direction_NE[own].mean(axis=0) for own in rows])
        threshold_M = np.array([threshold_N[own].mean() for own in rows])

        caption_ME = embed_texts([parsed.caption for parsed in captions]).astype(np.float64)
        base_ME = (caption_ME + embed_texts([_affirmed_or_caption(parsed) for parsed in captions])) / 2
        weight_M = np.array([self.weight if parsed.affirmed.strip() else self.alone for parsed in captions])
        moved_ME = base_ME - weight_M[:, None] * direction_ME
        length_M, offset_M = np.linalg.norm(moved_ME, axis=-1), weight_M * threshold_M

        def combine(cosines: np.ndarray, caption_index: np.ndarray) -> np.ndarray:
            return length_M[caption_index] * cosines[..., 0].astype(np.float64) + offset_M[caption_index]

        return CaptionVectors((unit_or(moved_ME, base_ME),), combine)

    def _thresholds(self, direction_NE: np.ndarray, image_DE: np.ndarray | None) -> np.ndarray:
        """t_c of each direction [N]."""
        if image_DE is None or not len(image_DE):
            return np.zeros(len(direction_NE))
        response_DN = image_DE.astype(np.float64) @ direction_NE.T
        return response_DN.mean(axis=0) + self.spread * response_DN.std(axis=0)


def _affirmed_or_caption(parsed: Parsed) -> str:
    return parsed.affirmed.strip() or parsed.caption


def _context_texts(concept: str) -> list[str]:
    """Photographs of the everyday things, each with the concept, or alone for ""."""
    addition = f" with {with_article(concept)}" if concept else ""
    return [photo_text(thing) + addition for thing in CONTEXTS]


def _directions(concepts: Sequence[str], embed_texts: EmbedTexts) -> np.ndarray:
    """v_c of each concept, float64 [N, E]."""
    plain_OE = embed_texts(_context_texts(""))
    with_XE = embed_texts([text for concept in concepts for text in _context_texts(concept)])
    with_NOE = with_XE.reshape(len(concepts), len(CONTEXTS), -1)
    return with_NOE.mean(axis=1, dtype=np.float64) - plain_OE.mean(axis=0, dtype=np.float64)
