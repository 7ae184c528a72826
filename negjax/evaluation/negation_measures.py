"""What tells why a model fails at negation: figures by operator, bias against interaction, recall lost by a negation.

Shapes: N questions, O options, G groups of four questions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from negjax.evaluation.choices import Questions
from negjax.synthesis.questions import TRUTH_TABLE_CELLS

# Parsed.operator -> the name of its figures.
OPERATOR_NAMES = {"single": "NOT", "and": "AND", "or": "OR", "but_not": "BUT NOT", "neither": "NEITHER"}
# Pairs of cells of a truth table that differ in one object: with it and without it.
_CONTRASTS = (("a_only", "neither"), ("both", "b_only"), ("b_only", "neither"), ("both", "a_only"))


def by_operator(
    operators: Sequence[str], credit_N: np.ndarray, blind_N: np.ndarray
) -> dict[str, dict[str, float | int]]:
    """Accuracy by the operator of the right option.

    Args:
        operators: `Parsed.operator` of each question's right option.
        credit_N: the questions' credits.
        blind_N: their credits with the mean image.

    Returns:
        NOT, AND, OR, BUT NOT and NEITHER, where they occur -> "n", "accuracy" and "blind".
    """
    operator_N = np.array(operators)
    return {
        name: {
            "n": int(chosen_N.sum()),
            "accuracy": float(credit_N[chosen_N].mean()),
            "blind": float(blind_N[chosen_N].mean()),
        }
        for operator, name in OPERATOR_NAMES.items()
        if (chosen_N := operator_N == operator).any()
    }


def decompose(score_NO: np.ndarray, questions: Questions, group_N: np.ndarray) -> dict[str, float | int]:
    """Caption bias, image bias and interaction of truth tables.

    Of two images, with and without an object, and the two captions that are true of them, the scores are
    S_ab = C + a beta + b alpha + a b gamma, with a, b = 1 for the image or caption with the object, else -1. Each image
    prefers its own caption and each caption its own image where gamma > max(|alpha|, |beta|).
    Source: a two-way analysis of variance; CLIP ViT-B/32 has |alpha| .0038, |beta| .0063, gamma .0012.

    Args:
        score_NO: scores of the questions' images with their options.
        questions: the questions.
        group_N: their groups, each of one question of each cell of a truth table.

    Returns:
        "caption_bias" and "image_bias" (mean |alpha| and |beta|), "interaction" (mean gamma), "right" (the share with
        gamma above both) and "n", over the four pairs of cells of each group that differ in one object. Groups whose
        questions do not have the same four options are left out; empty without any.
    """
    cell_N = np.array([TRUTH_TABLE_CELLS.index(kind) for kind in questions.kinds])
    rows_G4 = np.lexsort((cell_N, group_N)).reshape(-1, 4)
    own_G4 = questions.option_NO[rows_G4, questions.answer_N[rows_G4]]  # the caption that is true of each image
    is_own_G44O = questions.option_NO[rows_G4][:, :, None] == own_G4[:, None, :, None]
    complete_G = is_own_G44O.any(axis=-1).all(axis=(1, 2))
    if not complete_G.any():
        return {}
    option_G44 = is_own_G44O.argmax(axis=-1)
    score_G44 = np.take_along_axis(score_NO[rows_G4], option_G44, axis=-1)[complete_G].astype(np.float64)
    pairs = [[TRUTH_TABLE_CELLS.index(cell) for cell in pair] for pair in _CONTRASTS]
    with_with, with_without, without_with, without_without = (
        np.stack([score_G44[:, pair[image], pair[caption]] for pair in pairs])
        for image, caption in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    alpha = (with_with - with_without + without_with - without_without) / 4
    beta = (with_with + with_without - without_with - without_without) / 4
    gamma = (with_with - with_without - without_with + without_without) / 4
    return {
        "n": int(gamma.size),
        "caption_bias": float(np.abs(alpha).mean()),
        "image_bias": float(np.abs(beta).mean()),
        "interaction": float(gamma.mean()),
        "right": float((gamma > np.maximum(np.abs(alpha), np.abs(beta))).mean()),
    }


def delta_recall(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The recall of plain captions less that of the same images' negated captions.

    Source: delta R of nT2VR (arXiv 2205.00132). There a caption's negation is false of its video, so more is better.
    The negations of NegBench are true of their image: a model that understands them loses nothing, and wins where what
    is denied tells images apart.

    Args:
        tasks: results by task.

    Returns:
        For each negated retrieval task, where the run has a plain one about the same media: "plain", the name of that
        task, and the difference of each image_retrieval_recall@k.
    """
    retrieval = {name: task for name, task in tasks.items() if task["kind"] == "retrieval" and task.get("set")}
    deltas: dict[str, dict[str, Any]] = {}
    for name, task in retrieval.items():
        same_media = [
            other
            for other, plain in retrieval.items()
            if task["negated"] and not plain["negated"] and plain["set"]["media"] == task["set"]["media"]
        ]
        if same_media:
            metrics, plain_metrics = task["metrics"], retrieval[same_media[0]]["metrics"]
            names = [metric for metric in metrics if metric.startswith("image_retrieval_recall@")]
            deltas[name] = {"plain": same_media[0]} | {each: plain_metrics[each] - metrics[each] for each in names}
    return deltas
