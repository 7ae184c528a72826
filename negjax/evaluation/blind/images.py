"""What the same model scores when it does not see the question's image.

Shapes: N questions, O options, D distinct images of the task, C distinct captions, E embedding width.
"""

import numpy as np

from negjax.evaluation.choices import choice_credit, option_scores
from negjax.evaluation.embed.vectors import distinct_rows, unit_rows
from negjax.negation.scorer import CaptionVectors

MAX_BLIND_SCORES = 1 << 22  # scores held in memory at once
MAX_OTHER_IMAGES = 5000  # up to which all other images are scored, as many as the largest file of NegBench has
DRAWN_IMAGES = 1000  # of more images


def mean_image_credit(
    image_DE: np.ndarray, captions: CaptionVectors, option_NO: np.ndarray, answer_N: np.ndarray
) -> np.ndarray:
    """Credit of each question [N] when every image is the normalised mean of the task's distinct images.

    Args:
        image_DE: the distinct images of this task alone, unit length.
        captions: query vectors of all captions.
        option_NO: the caption of each option.
        answer_N: the right options.
    """
    mean_1E = unit_rows(image_DE.mean(axis=0, dtype=np.float64, keepdims=True))
    return choice_credit(option_scores(mean_1E, np.zeros(len(answer_N), np.int64), captions, option_NO), answer_N)


def other_image_credit(
    image_DE: np.ndarray,
    image_N: np.ndarray,
    captions: CaptionVectors,
    option_NO: np.ndarray,
    answer_N: np.ndarray,
    block: int = 0,
    seed: int = 0,
) -> np.ndarray:
    """Mean credit of each question [N] over all D - 1 other images of the task; needs D > 1.

    Scores of all questions with all images grow with the square of a set: of more than MAX_OTHER_IMAGES images
    DRAWN_IMAGES are drawn at random; `other_image_remark` says so.

    Args:
        image_DE: the distinct images of this task alone, unit length.
        image_N: the image of each question.
        captions: query vectors of all captions.
        option_NO: the caption of each option.
        answer_N: the right options.
        block: questions scored at a time; 0 for as many as fit in memory.
        seed: of the images that are drawn.
    """
    if len(image_DE) > MAX_OTHER_IMAGES:
        drawn = np.sort(np.random.default_rng(seed).choice(len(image_DE), DRAWN_IMAGES, replace=False))
        place_D = np.full(len(image_DE), -1)
        place_D[drawn] = np.arange(DRAWN_IMAGES)
        image_DE, image_N = image_DE[drawn], place_D[image_N]
    image_ED = image_DE.T.astype(np.float64)
    questions, options = option_NO.shape
    block = block or max(1, MAX_BLIND_SCORES // (options * len(image_DE)))
    credit_N = np.empty(questions)
    for start in range(0, questions, block):
        part = slice(start, start + block)
        option_BO = option_NO[part]

        def cosines(caption_CE: np.ndarray, option_BO: np.ndarray = option_BO) -> np.ndarray:
            caption_BE = caption_CE[option_BO.ravel()]
            first, inverse = distinct_rows(caption_BE)
            return (caption_BE[first].astype(np.float64) @ image_ED)[inverse].reshape(-1, options, len(image_DE))

        score_BOD = captions.scores(cosines, option_BO[..., None])
        best_BOD = score_BOD == score_BOD.max(axis=1, keepdims=True)
        rows = np.arange(len(score_BOD))
        credit_BD = best_BOD[rows, answer_N[part]] / best_BOD.sum(axis=1)
        own_B = image_N[part] >= 0  # whether the question's own image is among them
        credit_BD[rows[own_B], image_N[part][own_B]] = 0
        credit_N[part] = credit_BD.sum(axis=1) / (len(image_DE) - own_B)
    return credit_N


def other_image_remark(images: int) -> str:
    """What a reader of the figure "other_image" must know; "" where all images are scored."""
    drawn = f"other_image: the mean over {DRAWN_IMAGES:,} of {images:,} images, drawn at random"
    return drawn if images > MAX_OTHER_IMAGES else ""
