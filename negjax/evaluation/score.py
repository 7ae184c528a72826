"""One task's credits, blind figures and predictions, from embeddings.

Shapes: D distinct images and C distinct captions of the plan, E embedding width.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation import blind, mcq, retrieval, zeroshot
from negjax.evaluation.bootstrap import Credits, figures
from negjax.evaluation.plan import Questions, Retrieval, Task, ZeroShot

RECALL_AT = (1, 5, 10)
Columns = dict[str, Any]  # the columns of a predictions file by name, in order


@dataclass
class Scored:
    """n: the number of questions, captions or images asked. files: the columns of predictions/NAME.csv."""

    n: int
    credits: dict[str, Credits]
    files: dict[str, Columns]
    blind: dict[str, dict[str, float]] = field(default_factory=dict)


def score(task: Task, image_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    """Scores a task from the embeddings (unit length) of all of the plan's images and captions."""
    if isinstance(task.content, Questions):
        return _questions(task, task.content, image_DE, caption_CE)
    if isinstance(task.content, Retrieval):
        return _retrieval(task, task.content, image_DE, caption_CE)
    return _zeroshot(task, task.content, image_DE, caption_CE)


def _questions(task: Task, asked: Questions, image_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    score_NO = mcq.option_scores(image_DE, task.image_N, caption_CE, asked.option_NO)
    credits = _question_credits(task, asked, mcq.choice_credit(score_NO, asked.answer_N))
    columns: Columns = {
        "id": task.id_N,
        "group": task.group_N,
        "kind": asked.kinds,
        "answer": asked.answer_N,
        "predicted": score_NO.argmax(axis=1),
    }
    columns |= {f"score_{i}": score_NO[:, i] for i in range(score_NO.shape[1])}
    return Scored(len(score_NO), credits, {task.name: columns}, _blind(task, asked, image_DE, caption_CE))


def _blind(task: Task, asked: Questions, image_DE: np.ndarray, caption_CE: np.ndarray) -> dict[str, dict[str, float]]:
    """The figures of `mean_image`, and of `other_image` where the task has more than one image."""
    places, image_N = np.unique(task.image_N, return_inverse=True)
    images = image_DE[places]
    credit_N = blind.mean_image_credit(images, caption_CE, asked.option_NO, asked.answer_N)
    results = {"mean_image": figures(_question_credits(task, asked, credit_N))}
    if len(places) > 1:
        credit_N = blind.other_image_credit(images, image_N, caption_CE, asked.option_NO, asked.answer_N)
        results["other_image"] = figures(mcq.question_credits(credit_N, task.image_N, asked.kinds))
    return results


def _question_credits(task: Task, asked: Questions, credit_N: np.ndarray) -> dict[str, Credits]:
    credits = mcq.question_credits(credit_N, task.image_N, asked.kinds)
    if task.kind == "truth_table":
        try:
            credits["group_accuracy"] = mcq.group_credits(credit_N, asked.kinds, task.group_N)
        except ValueError as error:
            raise NegjaxError(f"set {task.name}: {error}; build the set again") from error
    return credits


def _retrieval(task: Task, asked: Retrieval, image_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    vectors = image_DE[task.image_N], caption_CE[asked.caption_C], asked.owner_C, task.group_N
    to_image = retrieval.image_retrieval(*vectors)
    to_text = retrieval.text_retrieval(*vectors)
    images = {
        "image": task.image_N[asked.owner_C[to_image.query_Q]],
        "text": task.image_N[to_text.query_Q],
    }
    credits = {
        f"{name}_retrieval_recall@{k}": Credits(ranks.recall(k), images[name])
        for name, ranks in (("image", to_image), ("text", to_text))
        for k in RECALL_AT
    }
    files: dict[str, Columns] = {
        task.name: {"caption_id": to_image.query_Q, "image_id": task.id_N[to_image.right_Q]},
        f"{task.name}.image_to_text": {"image_id": task.id_N[to_text.query_Q], "caption_id": to_text.right_Q},
    }
    for columns, ranks in zip(files.values(), (to_image, to_text)):
        columns |= {"rank": ranks.better_Q + 1, "ties": ranks.ties_Q}
    return Scored(len(asked.caption_C), credits, files)


def _zeroshot(task: Task, asked: ZeroShot, image_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    class_KE = zeroshot.class_embeddings(caption_CE, asked.prompt_KP)
    score_NK = zeroshot.class_scores(image_DE[task.image_N], class_KE)
    credit_N = mcq.choice_credit(score_NK, asked.label_N)
    best_N = score_NK.max(axis=1)
    columns: Columns = {
        "id": task.id_N,
        "label": asked.label_N,
        "predicted": score_NK.argmax(axis=1),
        "ties": (score_NK == best_N[:, None]).sum(axis=1) - 1,
        "label_score": score_NK[np.arange(len(score_NK)), asked.label_N],
        "predicted_score": best_N,
    }
    credits = zeroshot.class_credits(credit_N, task.image_N, asked.label_N)
    return Scored(len(score_NK), credits, {task.name: columns})
