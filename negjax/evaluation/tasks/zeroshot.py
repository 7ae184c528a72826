"""Zero-shot classification, the kind "zeroshot": each class is the mean of its prompts' embeddings.

Shapes: N images, K classes, P prompts (templates) of each, C distinct captions, E embedding width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.choices import choice_credit
from negjax.evaluation.embed.vectors import cosine_matrix, unit_rows
from negjax.evaluation.eval_data import Task
from negjax.evaluation.statistics.bootstrap import Credits
from negjax.evaluation.tasks.kind import (
    AddCaption,
    Columns,
    ItemCredits,
    PredictionRow,
    TaskKind,
    TaskScores,
    first_row_ids,
    int_column,
)
from negjax.negation.scorer import CaptionVectors


@dataclass
class LabelledClasses:
    """The classes of a set.

    Attributes:
        label_N: the class of each row.
        prompt_KP: each class's prompts, as indices of captions.
    """

    label_N: np.ndarray
    prompt_KP: np.ndarray


def _read(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> LabelledClasses:
    templates, names = data.metadata["templates"], data.metadata["classnames"]
    prompts = [[add_caption(template.replace("{}", name), 0) for template in templates] for name in names]
    return LabelledClasses(np.array([row["label"] for row in rows], np.int64), np.array(prompts, np.int64))


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    content: LabelledClasses = task.content
    score_NK = class_scores(media_DE[task.media_N], captions, content.prompt_KP)
    best_N = score_NK.max(axis=1)
    columns: Columns = {
        "id": task.id_N,
        "label": content.label_N,
        "predicted": score_NK.argmax(axis=1),
        "ties": (score_NK == best_N[:, None]).sum(axis=1) - 1,
        "label_score": score_NK[np.arange(len(score_NK)), content.label_N],
        "predicted_score": best_N,
        "image": first_row_ids(task),
    }
    credits = class_credits(choice_credit(score_NK, content.label_N), task.media_N, content.label_N)
    certain = ["accuracy, mean_class_accuracy: always 100 %, there is one class"] if len(content.prompt_KP) == 1 else []
    return TaskScores(len(score_NK), credits, {"": columns}, remarks=certain)


def class_scores(image_NE: np.ndarray, captions: CaptionVectors, prompt_KP: np.ndarray) -> np.ndarray:
    """Scores of each image with each class, float32 [N, K]; equal classes tie exactly.

    The score is the cosine with the class's embedding; where a caption has several query vectors, the mean score of
    the class's prompts.

    Args:
        image_NE: images, unit length.
        captions: query vectors of all captions.
        prompt_KP: the captions that are the classes' prompts.
    """
    if captions.combine is not None:
        captions, prompt_KP = captions.take(prompt_KP.ravel()), np.arange(prompt_KP.size).reshape(prompt_KP.shape)
    if captions.combine is None:
        return cosine_matrix(image_NE, class_embeddings(captions.vector_KCE[0], prompt_KP))
    score_NKP = captions.scores(lambda vector_CE: cosine_matrix(image_NE, vector_CE), prompt_KP.ravel())
    return score_NKP.reshape(len(image_NE), *prompt_KP.shape).mean(axis=2)


def class_embeddings(caption_CE: np.ndarray, prompt_KP: np.ndarray) -> np.ndarray:
    """Each class's prompts, of unit length, averaged and brought to unit length again: float32 [K, E].

    Source: Radford et al. 2021, section 3.1.4.
    """
    return unit_rows(unit_rows(caption_CE[prompt_KP]).mean(axis=1, dtype=np.float64))


def class_credits(credit_N: np.ndarray, image_N: np.ndarray, label_N: np.ndarray) -> dict[str, Credits]:
    """Credits of "accuracy" over images and of "mean_class_accuracy", the mean over the classes that occur."""
    return {
        "accuracy": Credits(credit_N, image_N),
        "mean_class_accuracy": Credits(credit_N, image_N, label_N),
    }


def _items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of "accuracy"; units are images."""
    if metric != "accuracy":
        raise NegjaxError(f"two runs cannot be compared image by image on {metric}: choose accuracy")
    best_N = np.array([float(row["label_score"]) == float(row["predicted_score"]) for row in rows])
    labels = [f"image {row['id']} with label {row['label']}" for row in rows]
    return ItemCredits(best_N / (int_column(rows, "ties") + 1), int_column(rows, "image"), labels)


ZEROSHOT = TaskKind(read=_read, score=_score, item_credits=_items)
