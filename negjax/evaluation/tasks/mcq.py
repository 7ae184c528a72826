"""Questions with O options: the pick is the option with the highest cosine, and ties earn 1/m.

Shapes: N questions, O options, D distinct images, C distinct captions, E embedding width.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from negjax.evaluation.statistics.bootstrap import Credits

BLOCK = 1 << 22  # numbers held at once
CELLS = ("a_only", "b_only", "both", "neither")
ORDER = ("positive", "negative", "hybrid", *CELLS)  # in which figures by kind are listed; others follow


def option_scores(
    image_DE: np.ndarray,
    image_N: np.ndarray,
    caption_CE: np.ndarray,
    option_NO: np.ndarray,
    block: int = 0,
) -> np.ndarray:
    """Cosine of each question's image with each of its options: float32 [N, O].

    image_DE, caption_CE: unit length. image_N, option_NO: places in them. Every cosine is summed in the same
    order, in float64, so that equal embeddings tie exactly. `block` questions are scored at a time.
    """
    block = block or max(1, BLOCK // (option_NO.shape[1] * caption_CE.shape[1]))
    scores_NO = np.empty(option_NO.shape, np.float32)
    for start in range(0, len(option_NO), block):
        part = slice(start, start + block)
        image_BE = image_DE[image_N[part]].astype(np.float64)
        scores_NO[part] = (image_BE[:, None] * caption_CE[option_NO[part]]).sum(axis=-1)
    return scores_NO


def choice_credit(scores_NO: np.ndarray, answer_N: np.ndarray) -> np.ndarray:
    """1/m where the right option shares the highest score with m - 1 others, else 0: float64 [N].

    Raises ValueError for a score that is not finite: NaN is never an answer.
    """
    if not np.isfinite(scores_NO).all():
        raise ValueError(f"question {np.argwhere(~np.isfinite(scores_NO))[0][0]} has a score that is not finite")
    best_NO = scores_NO == scores_NO.max(axis=1, keepdims=True)
    return best_NO[np.arange(len(answer_N)), answer_N] / best_NO.sum(axis=1)


def question_credits(credit_N: np.ndarray, image_N: np.ndarray, kinds: Sequence[str]) -> dict[str, Credits]:
    """ "accuracy", and "KIND_accuracy" for each kind of question that occurs."""
    kind_N = np.asarray(kinds)
    credits = {"accuracy": Credits(credit_N, image_N)}
    for kind in sorted(set(kinds) - {""}, key=_place):
        chosen = kind_N == kind
        credits[f"{kind}_accuracy"] = Credits(credit_N[chosen], image_N[chosen])
    return credits


def confusion(
    scores_NO: np.ndarray, answer_N: np.ndarray, kinds: Sequence[str], option_kinds: Sequence[Sequence[str]]
) -> dict[str, dict[str, float]]:
    """For each kind of question, how often the right option was picked, and how often a wrong one of each kind.

    Shares that add up to 1, ties split; the right one's is called "right". option_kinds: what each option of a question
    is; a question with none given is left out.
    """
    best_NO = scores_NO == scores_NO.max(axis=1, keepdims=True)
    share_NO = best_NO / best_NO.sum(axis=1, keepdims=True)
    table: dict[str, dict[str, float]] = {}
    asked = Counter(kind for kind, names in zip(kinds, option_kinds) if names)
    for share_O, answer, kind, names in zip(share_NO, answer_N, kinds, option_kinds):
        if names:
            row = table.setdefault(kind, {"right": 0.0})
            for option, (name, share) in enumerate(zip(names, share_O)):
                picked = "right" if option == answer else name
                row[picked] = row.get(picked, 0.0) + float(share) / asked[kind]
    return {
        kind: {
            name: table[kind][name] for name in sorted(table[kind], key=lambda name: (name != "right", _place(name)))
        }
        for kind in sorted(table, key=_place)
    }


def _place(kind: str) -> tuple[int, str]:
    return ORDER.index(kind) if kind in ORDER else len(ORDER), kind


def group_credits(credit_N: np.ndarray, kinds: Sequence[str], group_N: np.ndarray) -> Credits:
    """The truth table's group accuracy: a group's credit is the product of its four questions' credits.

    Groups are the units of its interval: that some share an image is left out of account.
    Raises ValueError unless every group has each of the four cells once.
    """
    cell_N = np.array([CELLS.index(kind) if kind in CELLS else -1 for kind in kinds])
    order = np.lexsort((cell_N, group_N))
    groups, starts, counts = np.unique(group_N[order], return_index=True, return_counts=True)
    cell_N = cell_N[order]
    for group, start, count in zip(groups, starts, counts):
        if cell_N[start : start + count].tolist() != [0, 1, 2, 3]:
            raise ValueError(f"group {group} does not have one question for each of {', '.join(CELLS)}")
    return Credits(credit_N[order].reshape(-1, 4).prod(axis=1), groups)
