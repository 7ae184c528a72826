"""What the same model scores when it does not see the question's image.

Shapes: N questions, O options, D distinct images of the task, C distinct captions, E embedding width.
"""

import numpy as np

from negjax.evaluation.embed.vectors import distinct_rows, unit_rows
from negjax.evaluation.tasks.mcq import choice_credit, option_scores

BLOCK = 1 << 22  # scores held at once


def mean_image_credit(
    image_DE: np.ndarray, caption_CE: np.ndarray, option_NO: np.ndarray, answer_N: np.ndarray
) -> np.ndarray:
    """Credit of each question [N] when every image is the normalised mean of the task's distinct images.

    image_DE: the distinct images of this task alone, unit length. option_NO: places in caption_CE.
    """
    mean_1E = unit_rows(image_DE.mean(axis=0, dtype=np.float64, keepdims=True))
    scores_NO = option_scores(mean_1E, np.zeros(len(answer_N), np.int64), caption_CE, option_NO)
    return choice_credit(scores_NO, answer_N)


def other_image_credit(
    image_DE: np.ndarray,
    image_N: np.ndarray,
    caption_CE: np.ndarray,
    option_NO: np.ndarray,
    answer_N: np.ndarray,
    block: int = 0,
) -> np.ndarray:
    """Mean credit of each question [N] over all D - 1 other images of the task; needs D > 1.

    image_DE: the distinct images of this task alone, unit length; image_N: the place of each question's own.
    `block` questions are scored at a time.
    """
    images_ED = image_DE.T.astype(np.float64)
    questions, options = option_NO.shape
    block = block or max(1, BLOCK // (options * len(image_DE)))
    credit_N = np.empty(questions)
    for start in range(0, questions, block):
        part = slice(start, start + block)
        caption_BE = caption_CE[option_NO[part].ravel()]
        first, where = distinct_rows(caption_BE)
        score_BOD = (caption_BE[first].astype(np.float64) @ images_ED)[where].reshape(-1, options, len(image_DE))
        best_BOD = score_BOD == score_BOD.max(axis=1, keepdims=True)
        rows = np.arange(len(score_BOD))
        credit_BD = best_BOD[rows, answer_N[part]] / best_BOD.sum(axis=1)
        credit_BD[rows, image_N[part]] = 0
        credit_N[part] = credit_BD.sum(axis=1) / (len(image_DE) - 1)
    return credit_N
