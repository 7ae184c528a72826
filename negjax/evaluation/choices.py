"""Multiple-choice questions: the pick is the option with the highest score, and ties share the credit.

Shapes: N questions, O options, D distinct images, C distinct captions, E embedding width.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negjax.evaluation.statistics.bootstrap import Credits
from negjax.negation.scorer import CaptionVectors
from negjax.synthesis.questions import MCQ_KINDS, TRUTH_TABLE_CELLS

MAX_PRODUCTS = 1 << 22  # products held in memory at once
KIND_ORDER = (*MCQ_KINDS, *TRUTH_TABLE_CELLS)  # order of figures by kind; other kinds follow


@dataclass
class Questions:
    """The questions of a set.

    Attributes:
        option_NO: each question's options, as indices of captions.
        answer_N: the right one among the options.
        kinds: the kind of each question; "" for none.
        option_kinds: what each option is ("hybrid"); an empty list for a question that does not say it.
        operators: how the right option joins its objects, `Parsed.operator`.
    """

    option_NO: np.ndarray
    answer_N: np.ndarray
    kinds: list[str]
    option_kinds: list[list[str]]
    operators: list[str]


def option_scores(
    image_DE: np.ndarray, image_N: np.ndarray, captions: CaptionVectors, option_NO: np.ndarray, block: int = 0
) -> np.ndarray:
    """Scores of each question's image with each of its options.

    Every cosine is summed in the same order, in float64, so that equal embeddings tie exactly.

    Args:
        image_DE: images, unit length.
        image_N: the image of each question.
        captions: query vectors of all captions.
        option_NO: the caption of each option.
        block: questions scored at a time; 0 for as many as fit in memory.

    Returns:
        float32 [N, O].
    """

    def cosines(caption_CE: np.ndarray) -> np.ndarray:
        step = block or max(1, MAX_PRODUCTS // (option_NO.shape[1] * caption_CE.shape[1]))
        cosine_NO = np.empty(option_NO.shape, np.float32)
        for start in range(0, len(option_NO), step):
            part = slice(start, start + step)
            image_BE = image_DE[image_N[part]].astype(np.float64)
            cosine_NO[part] = (image_BE[:, None] * caption_CE[option_NO[part]]).sum(axis=-1)
        return cosine_NO

    return captions.scores(cosines, option_NO)


def choice_credit(score_NO: np.ndarray, answer_N: np.ndarray) -> np.ndarray:
    """Credit of each question.

    Returns:
        float64 [N]: 1/m where the right option shares the highest score with m - 1 others, else 0.

    Raises:
        ValueError: a score is not finite; NaN is never an answer.
    """
    if not np.isfinite(score_NO).all():
        raise ValueError(f"question {np.argwhere(~np.isfinite(score_NO))[0][0]} has a score that is not finite")
    best_NO = score_NO == score_NO.max(axis=1, keepdims=True)
    return best_NO[np.arange(len(answer_N)), answer_N] / best_NO.sum(axis=1)


def question_credits(credit_N: np.ndarray, image_N: np.ndarray, kinds: Sequence[str]) -> dict[str, Credits]:
    """Credits of "accuracy", and of "KIND_accuracy" for each kind of question that occurs."""
    kind_N = np.asarray(kinds)
    credits = {"accuracy": Credits(credit_N, image_N)}
    for kind in sorted(set(kinds) - {""}, key=_kind_rank):
        chosen = kind_N == kind
        credits[f"{kind}_accuracy"] = Credits(credit_N[chosen], image_N[chosen])
    return credits


def group_credits(credit_N: np.ndarray, kinds: Sequence[str], group_N: np.ndarray) -> Credits:
    """Credits of a truth table's group accuracy: a group's credit is the product of its four questions' credits.

    Groups are the units of its interval, although some share an image.

    Raises:
        ValueError: a group does not have each of the four cells once.
    """
    cell_N = np.array([TRUTH_TABLE_CELLS.index(kind) if kind in TRUTH_TABLE_CELLS else -1 for kind in kinds])
    order = np.lexsort((cell_N, group_N))
    groups, starts, counts = np.unique(group_N[order], return_index=True, return_counts=True)
    cell_N = cell_N[order]
    for group, start, count in zip(groups, starts, counts):
        if cell_N[start : start + count].tolist() != [0, 1, 2, 3]:
            raise ValueError(f"group {group} does not have one question for each of {', '.join(TRUTH_TABLE_CELLS)}")
    return Credits(credit_N[order].reshape(-1, 4).prod(axis=1), groups)


def confusion(
    score_NO: np.ndarray, answer_N: np.ndarray, kinds: Sequence[str], option_kinds: Sequence[Sequence[str]]
) -> dict[str, dict[str, float]]:
    """How often each kind of option is picked, by kind of question.

    Args:
        score_NO: scores of the options.
        answer_N: the right options.
        kinds: the kinds of the questions.
        option_kinds: the kinds of each question's options; questions without any are skipped.

    Returns:
        Kind of question -> kind of option -> share, with the right option under "right". The shares of a kind of
        question add up to 1; ties are split.
    """
    best_NO = score_NO == score_NO.max(axis=1, keepdims=True)
    share_NO = best_NO / best_NO.sum(axis=1, keepdims=True)
    table: dict[str, dict[str, float]] = {}
    totals = Counter(kind for kind, names in zip(kinds, option_kinds) if names)
    for share_O, answer, kind, names in zip(share_NO, answer_N, kinds, option_kinds):
        if names:
            row = table.setdefault(kind, {"right": 0.0})
            for option, (name, share) in enumerate(zip(names, share_O)):
                picked = "right" if option == answer else name
                row[picked] = row.get(picked, 0.0) + float(share) / totals[kind]
    return {
        kind: dict(sorted(table[kind].items(), key=lambda item: (item[0] != "right", _kind_rank(item[0]))))
        for kind in sorted(table, key=_kind_rank)
    }


def _kind_rank(kind: str) -> tuple[int, str]:
    """Sorts kinds as KIND_ORDER does, then by name."""
    return KIND_ORDER.index(kind) if kind in KIND_ORDER else len(KIND_ORDER), kind
