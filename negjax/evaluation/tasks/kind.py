"""The interface of a kind of evaluation task, and the kinds by name.

`datasets.task_kinds.TASK_KINDS` is the table of kinds. Each module that it names defines a `TaskKind` named as the
kind in capitals, and everything else follows from that: which sets can be evaluated, how they are scored, what the
report shows, how two runs are compared.
Shapes: N rows, D distinct media and C distinct captions of the evaluation, E embedding width, I items (questions,
captions, images or queries) that a metric is the mean of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.task_kinds import EVALUATED_KINDS, TASK_KINDS
from negjax.errors import NegjaxError
from negjax.evaluation.choices import Questions
from negjax.evaluation.eval_data import Task
from negjax.evaluation.statistics.bootstrap import Credits
from negjax.negation.scorer import CaptionVectors

Columns = dict[str, Any]  # the columns of a prediction file by name, in order
PredictionRow = dict[str, str]  # a row of a prediction file
AddCaption = Callable[[str, int], int]  # (text, index of the row that has it) -> index among the distinct captions


@dataclass
class TaskScores:
    """The figures of a task, and the credits and predictions behind them.

    Attributes:
        n: number of questions, captions, images or queries.
        credits: what each metric is the mean of.
        predictions: columns of predictions/NAME.csv under "", of predictions/NAME.SUFFIX.csv under ".SUFFIX".
        blind: kind of blind figure -> metric -> value.
        details: further entries of the task in results.json.
        remarks: what a reader of the figures must know, a sentence each.
    """

    n: int
    credits: dict[str, Credits]
    predictions: dict[str, Columns]
    blind: dict[str, dict[str, float]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ItemCredits:
    """The items of a metric in a prediction file, to compare them with another run's.

    Attributes:
        credit_I: the credit of each.
        unit_I: the unit (image, group or query) that it belongs to; units are resampled as a whole.
        labels: identify the items; runs can be compared where these are equal.
    """

    credit_I: np.ndarray
    unit_I: np.ndarray
    labels: list[str]


@dataclass(frozen=True)
class TaskKind:
    """A kind of evaluation task.

    Attributes:
        read: makes the task's content of a set and its rows (without their media), in order; enters its captions.
        score: scores a task from embeddings [D, E] of the distinct media (unit length), the distinct captions'
            query vectors, and the credits of scorers that read only texts.
        item_credits: the items of a metric, from the rows of the prediction file that has them.
        main_metrics: the metrics that represent the task in a report.
        lower_is_better: metrics for which smaller values are better.
        main_blind: kinds of blind figure to show with the main metrics; the first that a task has is shown.
        note: explanation of its figures, printed below the leaderboard; "" for none.
        file_suffixes: keys of `TaskScores.predictions`.
        questions: the multiple-choice questions of a content, for scorers that read only texts; None without any.
        has_questions: whether a task of results.json asks multiple-choice questions, for the report.
        is_valid: whether a row of the prediction file is undamaged.
    """

    read: Callable[[StoredSet, list[Record], AddCaption], Any]
    score: Callable[[Task, np.ndarray, CaptionVectors, Mapping[str, np.ndarray]], TaskScores]
    item_credits: Callable[[Sequence[PredictionRow], str], ItemCredits]
    main_metrics: tuple[str, ...] = ("accuracy",)
    lower_is_better: frozenset[str] = frozenset()
    main_blind: tuple[str, ...] = ()
    note: str = ""
    file_suffixes: tuple[str, ...] = ("",)
    questions: Callable[[Any], Questions | None] = lambda content: None
    has_questions: Callable[[Mapping[str, Any]], bool] = lambda task: False
    is_valid: Callable[[PredictionRow], bool] = lambda row: True


@cache
def task_kind(name: str) -> TaskKind:
    """The kind of this name. Raises NegjaxError where there is none that can be evaluated."""
    if name not in EVALUATED_KINDS:
        raise NegjaxError(f"unknown task kind {name!r}; choose one of {', '.join(EVALUATED_KINDS)}")
    module = import_module(f"negjax.evaluation.tasks.{TASK_KINDS[name].module}")
    kind: TaskKind = getattr(module, name.upper())
    return kind


def item_credits(rows: Sequence[PredictionRow], kind: str, metric: str) -> ItemCredits:
    """The items of a metric, from the rows of a prediction file.

    Args:
        rows: of predictions/NAME.csv; for "text_retrieval_recall@K" of predictions/NAME.image_to_text.csv.
        kind: the task's kind.
        metric: a metric of this kind that is a plain mean over items.

    Raises:
        NegjaxError: the metric is not such a mean, or the rows are damaged.
    """
    if not rows:
        raise NegjaxError("the predictions are empty: evaluate this model again")
    try:
        items = task_kind(kind).item_credits(rows, metric)
    except KeyError as error:
        raise NegjaxError(f"the predictions have no column {error}: evaluate this model again") from error
    except (ValueError, TypeError, IndexError) as error:
        raise NegjaxError(f"the predictions are damaged ({error}): evaluate this model again") from error
    if not items.labels:
        raise NegjaxError(f"the predictions hold nothing that {metric} is the mean of")
    return items


def int_column(rows: Sequence[PredictionRow], column: str) -> np.ndarray:
    """A column of whole numbers."""
    return np.array([int(row[column]) for row in rows], np.int64)


def first_row_ids(task: Task) -> np.ndarray:
    """For each row the id of the first row that shows the same image or clip [N]."""
    _, first, inverse_N = np.unique(task.media_N, return_index=True, return_inverse=True)
    return task.id_N[first][inverse_N]
