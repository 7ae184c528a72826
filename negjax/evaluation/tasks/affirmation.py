"""Affirmation bias: how a text tower places affirmations and negations of the same objects.

NegBench (arXiv 2501.09425, section 5) shows that CLIP puts "includes a dog" and "does not include a dog" in almost one
place. Shapes: S sentences, E embedding width.
"""

import numpy as np

from negjax.evaluation.plan import Templates


def text_separation(templates: Templates, sentence_SE: np.ndarray) -> float:
    """How far a negation moves a sentence, against how far another object moves it.

    The mean cosine distance between the affirmation and the negation of an object, over the mean distance between the
    affirmations of two objects: 0 where "not" changes nothing, 1 where it changes as much as another object does.
    sentence_SE: unit length. 0 where all affirmations are the same.
    """
    affirmation_OE, negation_OE = (_of(templates, sentence_SE, kind) for kind in ("affirmation", "negation"))
    # Squared distances: twice the cosine ones, and exactly 0 between equals.
    moved = ((affirmation_OE - negation_OE) ** 2).sum(axis=1).mean()
    spread = ((affirmation_OE - affirmation_OE.mean(axis=0)) ** 2).sum()
    return float(moved / (2 * spread / (len(affirmation_OE) - 1))) if spread > 0 else 0.0


def principal_components(sentence_SE: np.ndarray) -> np.ndarray:
    """The sentences on their first two principal components [S, 2], signs fixed by the largest entry."""
    centred_SE = sentence_SE.astype(np.float64) - sentence_SE.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred_SE, full_matrices=False)
    axes_2E = axes[:2]
    signs = np.sign(axes_2E[np.arange(len(axes_2E)), np.abs(axes_2E).argmax(axis=1)])
    return centred_SE @ (signs[:, None] * axes_2E).T


def _of(templates: Templates, sentence_SE: np.ndarray, kind: str) -> np.ndarray:
    return sentence_SE[np.array(templates.templates) == kind].astype(np.float64)
