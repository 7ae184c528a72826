"""One task's credits, blind figures and predictions, from embeddings.

Shapes: N rows, D distinct media and C distinct captions of the plan, E embedding width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.blind import images as blind
from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.plan import Plan, Queries, Questions, Retrieval, Task, Templates, ZeroShot
from negjax.evaluation.statistics.bootstrap import Credits, figures
from negjax.evaluation.tasks import affirmation, mcq, queries, retrieval, zeroshot

RECALL_AT = (1, 5, 10)
Columns = dict[str, Any]  # the columns of a predictions file by name, in order


@dataclass
class Scored:
    """n: the number of questions, captions, images or queries asked. files: the columns of predictions/NAME.csv.

    more: what results.json tells of the task beside its figures.
    """

    n: int
    credits: dict[str, Credits]
    files: dict[str, Columns]
    blind: dict[str, dict[str, float]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def score(
    task: Task, media_DE: np.ndarray, caption_CE: np.ndarray, text_credits: Mapping[str, np.ndarray] = {}
) -> Scored:
    """Scores a task from the embeddings (unit length) of all of the plan's media and captions.

    text_credits: of a task with questions, the credits [N] of scorers that read the options alone.
    """
    if isinstance(task.content, Questions):
        return _questions(task, task.content, media_DE, caption_CE, text_credits)
    if isinstance(task.content, Retrieval):
        return _retrieval(task, task.content, media_DE, caption_CE)
    if isinstance(task.content, Queries):
        return _queries(task, task.content, media_DE, caption_CE)
    return _zeroshot(task, task.content, media_DE, caption_CE)


def metric_names(plan: Plan, name: str) -> list[str]:
    """The figures that `score` gives for a task of the plan, found by scoring embeddings that are all alike."""
    (task,) = (each for each in plan.tasks if each.name == name)
    media_DE, caption_CE = (
        np.eye(1, 2, dtype=np.float32).repeat(count, axis=0)
        for count in (len(plan.images.keys) + len(plan.clips.keys), len(plan.captions))
    )
    return list(score(task, media_DE, caption_CE).credits)


def _questions(
    task: Task,
    asked: Questions,
    media_DE: np.ndarray,
    caption_CE: np.ndarray,
    text_credits: Mapping[str, np.ndarray],
) -> Scored:
    score_NO = mcq.option_scores(media_DE, task.media_N, caption_CE, asked.option_NO)
    credits = _question_credits(task, asked, mcq.choice_credit(score_NO, asked.answer_N))
    columns: Columns = {
        "id": task.id_N,
        "group": task.group_N,
        "kind": asked.kinds,
        "answer": asked.answer_N,
        "predicted": score_NO.argmax(axis=1),
    }
    columns |= {f"score_{i}": score_NO[:, i] for i in range(score_NO.shape[1])} | {"image": _image_ids(task)}
    scored = Scored(len(score_NO), credits, {task.name: columns})
    scored.blind = _blind(task, asked, media_DE, caption_CE) | {
        name: figures(_question_credits(task, asked, credit_N)) for name, credit_N in text_credits.items()
    }
    if confusion := mcq.confusion(score_NO, asked.answer_N, asked.kinds, asked.option_kinds):
        scored.more["confusion"] = confusion
    if task.templates:
        scored.files[f"{task.name}.bias"], scored.more["affirmation_bias"] = _bias(task.templates, caption_CE, credits)
    return scored


def _blind(task: Task, asked: Questions, media_DE: np.ndarray, caption_CE: np.ndarray) -> dict[str, dict[str, float]]:
    """The figures of `mean_image`, and of `other_image` where the task has more than one image."""
    places, media_N = np.unique(task.media_N, return_inverse=True)
    images = media_DE[places]
    credit_N = blind.mean_image_credit(images, caption_CE, asked.option_NO, asked.answer_N)
    results = {"mean_image": figures(_question_credits(task, asked, credit_N))}
    if len(places) > 1:
        credit_N = blind.other_image_credit(images, media_N, caption_CE, asked.option_NO, asked.answer_N)
        results["other_image"] = figures(mcq.question_credits(credit_N, task.media_N, asked.kinds))
    return results


def _question_credits(task: Task, asked: Questions, credit_N: np.ndarray) -> dict[str, Credits]:
    credits = mcq.question_credits(credit_N, task.media_N, asked.kinds)
    if task.kind == "truth_table":
        try:
            credits["group_accuracy"] = mcq.group_credits(credit_N, asked.kinds, task.group_N)
        except ValueError as error:
            raise NegjaxError(f"set {task.name}: {error}; build the set again") from error
    return credits


def _bias(
    templates: Templates, caption_CE: np.ndarray, credits: Mapping[str, Credits]
) -> tuple[Columns, dict[str, float]]:
    """The sentences' places for a picture, and how well negations are told apart, without and with images."""
    sentence_SE = caption_CE[templates.caption_C]
    x_S, y_S = affirmation.principal_components(sentence_SE).T
    columns: Columns = {
        "object": templates.objects,
        "template": templates.templates,
        "x": x_S,
        "y": y_S,
        "text": templates.texts,
    }
    by_kind = [each.mean() for name, each in credits.items() if name != "accuracy"]
    separation = {
        "text_separation": affirmation.text_separation(templates, sentence_SE),
        "image_separation": float(np.mean(by_kind)),
    }
    return columns, separation


def _retrieval(task: Task, asked: Retrieval, media_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    if not len(asked.caption_C):
        raise NegjaxError(f"set {task.name} has no captions: build it again")
    image_NE, query_CE = media_DE[task.media_N], caption_CE[asked.caption_C]
    to_image = retrieval.image_retrieval(image_NE, query_CE, asked.owner_C, task.group_N)
    unit_C = task.media_N[asked.owner_C]
    columns: Columns = {"caption_id": to_image.query_Q, "image_id": task.id_N[to_image.right_Q], **_placed(to_image)}
    if task.kind == "pairs":  # which of a few candidate images the caption is about
        mean_1E = unit_rows(query_CE.mean(axis=0, dtype=np.float64, keepdims=True))
        shut = retrieval.image_retrieval(image_NE, mean_1E.repeat(len(query_CE), 0), asked.owner_C, task.group_N)
        return Scored(
            len(query_CE),
            {"accuracy": Credits(to_image.recall(1), unit_C)},
            {task.name: columns},
            {"mean_text": {"accuracy": float(shut.recall(1).mean())}},
        )
    to_text = retrieval.text_retrieval(image_NE, query_CE, asked.owner_C, task.group_N)
    credits = {
        f"{name}_retrieval_recall@{k}": Credits(ranks.recall(k), unit_Q)
        for name, ranks, unit_Q in (("image", to_image, unit_C), ("text", to_text, task.media_N[to_text.query_Q]))
        for k in RECALL_AT
    }
    back: Columns = {"image_id": task.id_N[to_text.query_Q], "caption_id": to_text.right_Q, **_placed(to_text)}
    return Scored(len(query_CE), credits, {task.name: columns, f"{task.name}.image_to_text": back})


def _placed(ranks: retrieval.Ranks) -> Columns:
    return {"rank": ranks.better_Q + 1, "ties": ranks.ties_Q}


def _queries(task: Task, asked: Queries, media_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    image_NE = media_DE[task.media_N]

    def credits(place_Q: np.ndarray) -> dict[str, Credits]:
        score_QN = queries.query_scores(image_NE, caption_CE[place_Q])
        return queries.query_credits(score_QN, asked.asked_QN, asked.excluded_QN)

    found = credits(asked.query_Q)
    anyhow = queries.query_credits(np.zeros(asked.asked_QN.shape), asked.asked_QN, asked.excluded_QN)
    columns: Columns = {
        "query_id": np.arange(len(asked.query_Q)),
        "asked": asked.asked_QN.sum(axis=1),
        "excluded": asked.excluded_QN.sum(axis=1),
        **{name: each.credit_N for name, each in found.items()},
    }
    blind = {"random_image": figures(anyhow), "plain_query": figures(credits(asked.plain_Q))}
    return Scored(len(asked.query_Q), found, {task.name: columns}, blind)


def _zeroshot(task: Task, asked: ZeroShot, media_DE: np.ndarray, caption_CE: np.ndarray) -> Scored:
    class_KE = zeroshot.class_embeddings(caption_CE, asked.prompt_KP)
    score_NK = zeroshot.class_scores(media_DE[task.media_N], class_KE)
    credit_N = mcq.choice_credit(score_NK, asked.label_N)
    best_N = score_NK.max(axis=1)
    columns: Columns = {
        "id": task.id_N,
        "label": asked.label_N,
        "predicted": score_NK.argmax(axis=1),
        "ties": (score_NK == best_N[:, None]).sum(axis=1) - 1,
        "label_score": score_NK[np.arange(len(score_NK)), asked.label_N],
        "predicted_score": best_N,
        "image": _image_ids(task),
    }
    credits = zeroshot.class_credits(credit_N, task.media_N, asked.label_N)
    return Scored(len(score_NK), credits, {task.name: columns})


def _image_ids(task: Task) -> np.ndarray:
    """For each row the id of the first row that shows the same thing [N]."""
    _, first, where_N = np.unique(task.media_N, return_index=True, return_inverse=True)
    return task.id_N[first][where_N]
