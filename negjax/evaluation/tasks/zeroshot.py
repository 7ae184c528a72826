"""Naming what is in an image: each class is the mean of its prompts' embeddings.

Shapes: N images, K classes, P prompts (templates) for each, C distinct captions, E embedding width.
"""

import numpy as np

from negjax.evaluation.embed.vectors import distinct_rows, unit_rows
from negjax.evaluation.statistics.bootstrap import Credits


def class_embeddings(caption_CE: np.ndarray, prompt_KP: np.ndarray) -> np.ndarray:
    """Each class's prompts, of unit length, averaged and brought to unit length again: float32 [K, E].

    prompt_KP: places of the prompts in caption_CE. Source: Radford et al. 2021, section 3.1.4.
    """
    return unit_rows(unit_rows(caption_CE[prompt_KP]).mean(axis=1, dtype=np.float64))


def class_scores(image_NE: np.ndarray, class_KE: np.ndarray, block: int = 1024) -> np.ndarray:
    """Cosine of each image with each class, float32 [N, K]; equal classes tie exactly."""
    first, where_K = distinct_rows(class_KE)
    class_EU = class_KE[first].astype(np.float64).T
    score_NK = np.empty((len(image_NE), len(class_KE)), np.float32)
    for start in range(0, len(image_NE), block):
        image_BE = image_NE[start : start + block].astype(np.float64)
        score_NK[start : start + block] = (image_BE @ class_EU)[:, where_K]
    return score_NK


def class_credits(credit_N: np.ndarray, image_N: np.ndarray, label_N: np.ndarray) -> dict[str, Credits]:
    """ "accuracy" over images and "mean_class_accuracy", the mean over the classes that occur."""
    return {
        "accuracy": Credits(credit_N, image_N),
        "mean_class_accuracy": Credits(credit_N, image_N, label_N),
    }
