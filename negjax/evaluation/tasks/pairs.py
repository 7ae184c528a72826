"""Pairs, the kind "pairs": two captions of one image, or one caption and a few candidate images.

The first form is a question with two options. In the second, the rows of a group are the candidates, and one of them
has the caption.
Shapes: N images (rows of the set), C captions of the set, D distinct media of the evaluation, E embedding width.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.evaluation.choices import Questions
from negjax.evaluation.embed.vectors import unit_rows
from negjax.evaluation.eval_data import Task
from negjax.evaluation.ranking import image_retrieval
from negjax.evaluation.statistics.bootstrap import Credits
from negjax.evaluation.tasks.kind import AddCaption, ItemCredits, PredictionRow, TaskKind, TaskScores
from negjax.evaluation.tasks.questions import is_question, question_items, read_questions, score_questions
from negjax.evaluation.tasks.retrieval import CaptionedImages, caption_columns, ranked_items, read_captions
from negjax.negation.scorer import CaptionVectors


def _read(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> Questions | CaptionedImages:
    if "question" in data.fields:
        return read_questions(data, rows, add_caption)
    return read_captions(data, rows, add_caption)


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    if isinstance(task.content, Questions):
        return score_questions(task, task.content, media_DE, captions, text_credits)
    return _score_candidates(task, task.content, media_DE[task.media_N], captions.take(task.content.caption_C))


def _score_candidates(
    task: Task, content: CaptionedImages, image_NE: np.ndarray, captions: CaptionVectors
) -> TaskScores:
    """Which candidate image the caption is about; blind, when every caption is replaced by the mean of all."""
    ranks = image_retrieval(image_NE, captions, content.owner_C, task.group_N)
    caption_CE = captions.vector_KCE[0]
    mean_1E = unit_rows(caption_CE.mean(axis=0, dtype=np.float64, keepdims=True))
    mean_caption = CaptionVectors((mean_1E.repeat(len(caption_CE), 0),))
    blind_ranks = image_retrieval(image_NE, mean_caption, content.owner_C, task.group_N)
    return TaskScores(
        len(caption_CE),
        {"accuracy": Credits(ranks.recall(1), task.media_N[content.owner_C])},
        {"": caption_columns(task, ranks)},
        {"mean_text": {"accuracy": float(blind_ranks.recall(1).mean())}},
    )


def _items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of "accuracy"; units are images."""
    if "rank" in rows[0]:
        return ranked_items(rows, "image_retrieval_recall@1" if metric == "accuracy" else metric)
    return question_items(rows, metric)


PAIRS = TaskKind(
    read=_read,
    score=_score,
    item_credits=_items,
    main_blind=("mean_image", "mean_text"),
    questions=lambda content: content if isinstance(content, Questions) else None,
    has_questions=lambda task: "mean_text" not in task["blind"],
    is_valid=lambda row: "answer" not in row or is_question(row),
)
