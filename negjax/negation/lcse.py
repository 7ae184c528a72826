"""LCSE, logit-corrected similarity edit: the caption's cosine, corrected by how likely each of its concepts is there.

Shapes: M captions, K query vectors (the caption's own, then one of each concept), E embedding width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from negjax.language.parsed import Parsed
from negjax.language.phrases import with_article
from negjax.negation.method import NegationMethod
from negjax.negation.scorer import CaptionVectors, EmbedTexts

MAX_CONCEPTS = 8  # a matrix of query vectors is kept for each
TEMPLATES = ("{}", "a photo of {}", "an image of {}", "{} in the image")
_AND, _OR = -1.0, 10.0  # exponents of the power mean
_FLOOR = 1e-6  # of probabilities


@dataclass(frozen=True)
class LCSE(NegationMethod):
    """s(caption) + (logit p_logic - logit p_soft) / slope, s the cosine with the image.

    sim_c is the mean cosine of the image with four templates of concept c, p_c = sigmoid(slope * (sim_c - midpoint)),
    and q_c = 1 - p_c of a denied concept, p_c of an affirmed one. p_logic joins the q_c as the operator says: the power
    mean with exponent -1 for "and", "but not" and "neither", 10 for "or"; one denied concept alone is q_c. p_soft is
    the mean of the p_c. Both are kept within [1e-6, 1 - 1e-6]. One denied concept alone gives s - 2 (sim_c - midpoint).
    Source: "Similarity Is Not Logic" (arXiv 2607.23052, code SultanMo/factored-vlm@73cd10b). Published: FACTOR-Bench's
    operators 58.3 -> 85.5 for CLIP ViT-B/32, 65.0 -> 90.7 for SigLIP 2; NegBench COCO 39.3 -> 60.3 and 27.2 -> 65.2.

    Not a query vector: images are scored with each concept. An affirmed part that is a sentence counts as one concept,
    said as it stands. A caption of more than MAX_CONCEPTS concepts keeps its cosine.

    Attributes:
        midpoint: the cosine at which a concept is as likely there as not (mu); of the model and these templates.
        slope: how fast the probability rises with the cosine (beta).
        lists: whether captions that deny nothing but list objects with "and" or "or" are scored so, too, as published.
    """

    midpoint: float
    slope: float
    lists: bool

    is_one_vector: ClassVar[bool] = False
    grid: ClassVar = {"slope": (3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0)}

    def __post_init__(self) -> None:
        self.check(-1 < self.midpoint < 1, "midpoint", "between -1 and 1")
        self.check(self.slope > 0, "slope", "above 0")

    def changes(self, parsed: Parsed) -> bool:
        """Captions that deny something; with `lists` also lists of objects."""
        is_list = self.lists and parsed.operator in ("and", "or") and len(parsed.concepts) > 1
        return (bool(parsed.negated) or is_list) and len(_concepts(parsed)) <= MAX_CONCEPTS

    def texts(self, parsed: Parsed) -> list[str]:
        """The caption, and the templates of each concept."""
        return [parsed.caption, *(text for texts, _ in _concepts(parsed) for text in texts)]

    def presence_texts(self, concept: str) -> list[str]:
        """The templates of a concept."""
        return _templates(concept)

    def fit_presence(self, present: np.ndarray, absent: np.ndarray) -> dict[str, float]:
        """The midpoint between the mean cosines of concepts that are there and that are not, as in the source."""
        return {"midpoint": float((present.mean() + absent.mean()) / 2)}

    def vectors(
        self, captions: Sequence[Parsed], embed_texts: EmbedTexts, image_DE: np.ndarray | None = None
    ) -> CaptionVectors:
        """The caption's embedding, the mean of each concept's templates, and the function that joins the cosines."""
        concepts = [_concepts(parsed) for parsed in captions]
        caption_ME = embed_texts([parsed.caption for parsed in captions])
        count = max(map(len, concepts))
        concept_KME = np.zeros((count, *caption_ME.shape), np.float32)
        sign_MK = np.zeros((len(captions), count))  # 1 affirmed, -1 denied, 0 no concept
        for m, own in enumerate(concepts):
            for k, (texts, sign) in enumerate(own):
                concept_KME[k, m] = embed_texts(texts).mean(axis=0, dtype=np.float64)
                sign_MK[m, k] = sign
        exponent_M = np.array([_OR if parsed.operator == "or" else _AND for parsed in captions])

        def combine(cosines: np.ndarray, caption_index: np.ndarray) -> np.ndarray:
            similarity = cosines[..., 1:].astype(np.float64)
            correction = self.correction(similarity, sign_MK[caption_index], exponent_M[caption_index])
            return cosines[..., 0] + correction

        return CaptionVectors((caption_ME, *concept_KME), combine)

    def correction(self, similarity: np.ndarray, sign: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        """(logit p_logic - logit p_soft) / slope.

        Args:
            similarity: the concepts' mean cosines [..., K].
            sign: 1 for affirmed concepts, -1 for denied ones, 0 for none [..., K].
            exponent: of the power mean [...].
        """
        count = np.abs(sign).sum(axis=-1)
        raised = self.slope * (similarity - self.midpoint)
        present, logical = _sigmoid(raised), _sigmoid(np.where(sign < 0, -raised, raised))
        soft = (present * np.abs(sign)).sum(axis=-1) / count
        powers = np.maximum(logical, 1e-300) ** exponent[..., None]
        logic = ((powers * np.abs(sign)).sum(axis=-1) / count) ** (1 / exponent)
        return (_logit(logic) - _logit(soft)) / self.slope


def _concepts(parsed: Parsed) -> list[tuple[list[str], int]]:
    """The texts of each concept, with 1 for an affirmed one and -1 for a denied one."""
    affirmed: list[list[str]] = [_templates(concept) for concept in dict.fromkeys(parsed.concepts)]
    if not affirmed and parsed.affirmed.strip():
        affirmed = [[parsed.affirmed]]
    denied = [_templates(concept) for concept in dict.fromkeys(parsed.negated)]
    return [(texts, 1) for texts in affirmed] + [(texts, -1) for texts in denied]


def _templates(concept: str) -> list[str]:
    phrase = with_article(concept)
    return [template.format(phrase) for template in TEMPLATES]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _FLOOR, 1 - _FLOOR)
    return np.log(p) - np.log1p(-p)
