"""Multiple-choice questions about an image: the kinds "mcq", "binary_mcq" and "truth_table".

A truth table asks four questions about two objects, one for each combination of present and absent; its metrics are
the accuracy of single questions and of complete groups.
Shapes: N questions, O options, D distinct media and C distinct captions of the evaluation, E embedding width.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.blind.images import mean_image_credit, other_image_credit, other_image_remark
from negjax.evaluation.choices import (
    Questions,
    choice_credit,
    confusion,
    group_credits,
    option_scores,
    question_credits,
)
from negjax.evaluation.eval_data import Task
from negjax.evaluation.negation_measures import by_operator, decompose
from negjax.evaluation.statistics.bootstrap import Credits, figures
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
from negjax.language.splitter import split
from negjax.negation.scorer import CaptionVectors

MetricCredits = Callable[[Task, Questions, np.ndarray], dict[str, Credits]]


def read_questions(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> Questions:
    """The questions of a set. Raises NegjaxError where they differ in their number of options."""
    for row in rows:
        if len(row["options"]) != len(rows[0]["options"]):
            raise NegjaxError(
                f"set {data.name}, row {row['id']} has {len(row['options'])} options where the first row has "
                f"{len(rows[0]['options'])}: build a set for each number of options"
            )
    options = [[add_caption(text, index) for text in row["options"]] for index, row in enumerate(rows)]
    return Questions(
        option_NO=np.array(options, np.int64),
        answer_N=np.array([row["answer"] for row in rows], np.int64),
        kinds=[row["kind"] for row in rows],
        option_kinds=[row["option_kinds"] for row in rows],
        operators=[split(row["options"][row["answer"]]).operator for row in rows],
    )


def accuracies(task: Task, questions: Questions, credit_N: np.ndarray) -> dict[str, Credits]:
    """Accuracy over all questions and by kind."""
    return question_credits(credit_N, task.media_N, questions.kinds)


def accuracies_with_groups(task: Task, questions: Questions, credit_N: np.ndarray) -> dict[str, Credits]:
    """As `accuracies`, with the accuracy of complete groups of a truth table."""
    try:
        groups = group_credits(credit_N, questions.kinds, task.group_N)
    except ValueError as error:
        raise NegjaxError(f"set {task.name}: {error}; build the set again") from error
    return accuracies(task, questions, credit_N) | {"group_accuracy": groups}


def score_questions(
    task: Task,
    questions: Questions,
    media_DE: np.ndarray,
    captions: CaptionVectors,
    text_credits: Mapping[str, np.ndarray],
    metrics: MetricCredits = accuracies,
) -> TaskScores:
    """Scores the questions of a task.

    Args:
        task: the task.
        questions: its questions.
        media_DE: all distinct media, unit length.
        captions: query vectors of all distinct captions.
        text_credits: scorer that reads only texts -> credit of each question [N].
        metrics: makes metrics of the questions' credits.
    """
    score_NO = option_scores(media_DE, task.media_N, captions, questions.option_NO)
    credit_N = choice_credit(score_NO, questions.answer_N)
    credits = metrics(task, questions, credit_N)
    columns: Columns = {
        "id": task.id_N,
        "group": task.group_N,
        "kind": questions.kinds,
        "answer": questions.answer_N,
        "predicted": score_NO.argmax(axis=1),
    }
    columns |= {f"score_{i}": score_NO[:, i] for i in range(score_NO.shape[1])} | {"image": first_row_ids(task)}
    media, media_N = np.unique(task.media_N, return_inverse=True)
    image_DE = media_DE[media]
    blind_N = mean_image_credit(image_DE, captions, questions.option_NO, questions.answer_N)
    blind = {"mean_image": figures(metrics(task, questions, blind_N))}
    if len(media) > 1:
        other_N = other_image_credit(image_DE, media_N, captions, questions.option_NO, questions.answer_N)
        # A product of mean credits would not be the mean credit of a group: no group accuracy here.
        blind["other_image"] = figures(accuracies(task, questions, other_N))
    blind |= {name: figures(metrics(task, questions, text_N)) for name, text_N in text_credits.items()}
    table = confusion(score_NO, questions.answer_N, questions.kinds, questions.option_kinds)
    remark = other_image_remark(len(media))
    details: dict[str, Any] = {"confusion": table} if table else {}
    if operators := by_operator(questions.operators, credit_N, blind_N):
        details["operators"] = operators
    if metrics is accuracies_with_groups and (decomposition := decompose(score_NO, questions, task.group_N)):
        details["decomposition"] = decomposition
    return TaskScores(len(score_NO), credits, {"": columns}, blind, details, [remark] if remark else [])


def question_items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of "accuracy" or "KIND_accuracy" (units are images) or of "group_accuracy" (units are groups)."""
    if metric.endswith("_accuracy") and metric != "group_accuracy":
        rows = [row for row in rows if row["kind"] == metric.removesuffix("_accuracy")]
    elif metric not in ("accuracy", "group_accuracy"):
        raise NegjaxError(f"two runs cannot be compared question by question on {metric}: choose an accuracy")
    if not rows:
        return ItemCredits(np.zeros(0), np.zeros(0, np.int64), [])
    columns = [name for i in range(len(rows[0])) if (name := f"score_{i}") in rows[0]]
    score_NO = np.array([[float(row[name]) for name in columns] for row in rows])
    credit_N = choice_credit(score_NO, int_column(rows, "answer"))
    labels = [f"question {row['id']} with answer {row['answer']}" for row in rows]
    if metric != "group_accuracy":
        return ItemCredits(credit_N, int_column(rows, "image"), labels)
    group_N = int_column(rows, "group")
    groups = group_credits(credit_N, [row["kind"] for row in rows], group_N)
    members: dict[int, list[str]] = {}
    for group, label in zip(group_N.tolist(), labels):
        members.setdefault(group, []).append(label)
    group_labels = [f"group {group} of {', '.join(members[group])}" for group in sorted(members)]
    return ItemCredits(groups.credit_N, groups.unit_N, group_labels)


def is_question(row: PredictionRow) -> bool:
    """Whether a row of a prediction file is a complete question: numbers, a kind, and the score of the pick."""
    numbers = all(row.get(column, "").isdecimal() for column in ("id", "answer", "predicted"))
    return numbers and "kind" in row and bool(row.get(f"score_{row['predicted']}"))


MCQ = BINARY_MCQ = TaskKind(
    read=read_questions,
    score=lambda task, media_DE, captions, text_credits: score_questions(
        task, task.content, media_DE, captions, text_credits
    ),
    item_credits=question_items,
    main_blind=("mean_image",),
    questions=lambda content: content,
    has_questions=lambda task: True,
    is_valid=is_question,
)
TRUTH_TABLE = TaskKind(
    read=read_questions,
    score=lambda task, media_DE, captions, text_credits: score_questions(
        task, task.content, media_DE, captions, text_credits, accuracies_with_groups
    ),
    item_credits=question_items,
    main_metrics=("accuracy", "group_accuracy"),
    main_blind=("mean_image",),
    questions=lambda content: content,
    has_questions=lambda task: True,
    is_valid=is_question,
)
