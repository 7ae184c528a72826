"""Retrieval both ways, the kind "retrieval": each caption looks for its image, each image for one of its captions.

Shapes: N images (rows of the set), C captions of the set, D distinct media of the evaluation, E embedding width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.eval_data import Task
from negjax.evaluation.ranking import Ranks, image_retrieval, text_retrieval
from negjax.evaluation.statistics.bootstrap import Credits
from negjax.evaluation.tasks.kind import (
    AddCaption,
    Columns,
    ItemCredits,
    PredictionRow,
    TaskKind,
    TaskScores,
    int_column,
)
from negjax.negation.scorer import CaptionVectors

RECALL_AT = (1, 5, 10)


@dataclass
class CaptionedImages:
    """The captions of a set, row by row.

    Attributes:
        caption_C: the index of each caption among the distinct captions.
        owner_C: the row that it belongs to.
    """

    caption_C: np.ndarray
    owner_C: np.ndarray


def read_captions(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> CaptionedImages:
    """The captions of all rows. Raises NegjaxError where there are none."""
    captions = [add_caption(text, index) for index, row in enumerate(rows) for text in row["captions"]]
    if not captions:
        raise NegjaxError(f"set {data.name} has no captions: build it again")
    owner_C = np.repeat(np.arange(len(rows)), [len(row["captions"]) for row in rows])
    return CaptionedImages(np.array(captions, np.int64), owner_C)


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    content: CaptionedImages = task.content
    image_NE, own_captions = media_DE[task.media_N], captions.take(content.caption_C)
    to_image = image_retrieval(image_NE, own_captions, content.owner_C, task.group_N)
    to_text = text_retrieval(image_NE, own_captions, content.owner_C, task.group_N)
    unit_C, unit_Q = task.media_N[content.owner_C], task.media_N[to_text.query_Q]
    credits = {f"image_retrieval_recall@{k}": Credits(to_image.recall(k), unit_C) for k in RECALL_AT}
    credits |= {f"text_retrieval_recall@{k}": Credits(to_text.recall(k), unit_Q) for k in RECALL_AT}
    image_to_text: Columns = {
        "image_id": task.id_N[to_text.query_Q],
        "caption_id": to_text.right_Q,
        **rank_columns(to_text),
    }
    predictions = {"": caption_columns(task, to_image), ".image_to_text": image_to_text}
    return TaskScores(len(content.caption_C), credits, predictions, remarks=_gallery_remarks(task, content))


def _gallery_remarks(task: Task, content: CaptionedImages) -> list[str]:
    """Remarks on each recall@k that no model can miss, because no gallery offers more than k answers."""
    captions_N = np.bincount(content.owner_C, minlength=len(task.id_N))
    groups, group_N, images_G = np.unique(task.group_N, return_inverse=True, return_counts=True)
    captions_G = np.bincount(group_N, captions_N, len(groups)).astype(int)
    others = int((captions_G[group_N] - captions_N).max())  # captions of other images that stand against one's own
    answers = {"image_retrieval": int(images_G.max()), "text_retrieval": others + 1}
    certain = [f"{name}_recall@{k}" for name, count in answers.items() for k in RECALL_AT if k >= count]
    return [f"{', '.join(certain)}: always 100 %, the largest gallery has {images_G.max()} images"] if certain else []


def caption_columns(task: Task, to_image: Ranks) -> Columns:
    """The columns of the prediction file for text-to-image retrieval."""
    return {"caption_id": to_image.query_Q, "image_id": task.id_N[to_image.right_Q], **rank_columns(to_image)}


def rank_columns(ranks: Ranks) -> Columns:
    """Rank (1 is best) and ties."""
    return {"rank": ranks.better_Q + 1, "ties": ranks.ties_Q}


def ranked_items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of "image_retrieval_recall@K" or "text_retrieval_recall@K"; units are images (rows of the set)."""
    name, _, k = metric.partition("@")
    if name not in ("image_retrieval_recall", "text_retrieval_recall") or not k.isdecimal():
        raise NegjaxError(f"two runs cannot be compared query by query on {metric}: choose a recall@k")
    image_Q, caption_Q = int_column(rows, "image_id"), int_column(rows, "caption_id")
    if name == "image_retrieval_recall":
        query_Q, right_Q = caption_Q, image_Q
        labels = [f"caption {caption} of image {image}" for caption, image in zip(caption_Q, image_Q)]
    else:  # the caption of such a row is the model's choice (the best of the image's own) and no part of the item
        query_Q, right_Q = image_Q, caption_Q
        labels = [f"image {image}" for image in image_Q]
    ranks = Ranks(query_Q, right_Q, int_column(rows, "rank") - 1, int_column(rows, "ties"))
    return ItemCredits(ranks.recall(int(k)), image_Q, labels)


RETRIEVAL = TaskKind(
    read=read_captions,
    score=_score,
    item_credits=ranked_items,
    main_metrics=("image_retrieval_recall@5",),
    file_suffixes=("", ".image_to_text"),
    is_valid=lambda row: all(row.get(name, "").isdecimal() for name in ("caption_id", "image_id", "rank", "ties")),
)
