"""Equivalence, the kind "equivalence": two captions of an image that mean the same should score the same.

The figure is the share of pairs whose two scores differ by more than a tolerance: a pair that does not is no proof of
understanding (a scorer that ignores "no" gives "not without a dog" the score of "a dog"), but one that does is proof
that wording counts. Source: FACTOR-Bench (arXiv 2607.23052), whose tolerance is .001 on cosines.
Shapes: N pairs (rows of the set), D distinct media of the evaluation, E embedding width.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.choices import option_scores
from negjax.evaluation.embed.vectors import unit_rows
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

SCORE_TOLERANCE = 0.001  # largest difference of two scores that counts as none
METRIC = "violation_rate"


def _read(data: StoredSet, rows: list[Record], add_caption: AddCaption) -> np.ndarray:
    """The two captions of each row, as indices of distinct captions [N, 2]."""
    for row in rows:
        if len(row["captions"]) != 2:
            raise NegjaxError(
                f"set {data.name}, row {row['id']} has {len(row['captions'])} captions, equivalence compares two: "
                "build the set again"
            )
    return np.array([[add_caption(text, index) for text in row["captions"]] for index, row in enumerate(rows)])


def _violations(score_N2: np.ndarray) -> np.ndarray:
    """1 for each pair whose scores differ by more than the tolerance, else 0: float64 [N]."""
    return (np.abs(np.diff(score_N2.astype(np.float64), axis=1)[:, 0]) > SCORE_TOLERANCE).astype(np.float64)


def _score(
    task: Task, media_DE: np.ndarray, captions: CaptionVectors, text_credits: Mapping[str, np.ndarray]
) -> TaskScores:
    score_N2 = option_scores(media_DE, task.media_N, captions, task.content)
    mean_1E = unit_rows(media_DE[np.unique(task.media_N)].mean(axis=0, dtype=np.float64, keepdims=True))
    blind_N2 = option_scores(mean_1E, np.zeros(len(score_N2), np.int64), captions, task.content)
    columns: Columns = {
        "id": task.id_N,
        "score_a": score_N2[:, 0],
        "score_b": score_N2[:, 1],
        "image": first_row_ids(task),
    }
    return TaskScores(
        len(score_N2),
        {METRIC: Credits(_violations(score_N2), task.media_N)},
        {"": columns},
        {"mean_image": {METRIC: float(_violations(blind_N2).mean())}},
        {"tolerance": SCORE_TOLERANCE},
    )


def _items(rows: Sequence[PredictionRow], metric: str) -> ItemCredits:
    """The items of the violation rate; units are images."""
    if metric != METRIC:
        raise NegjaxError(f"two runs cannot be compared pair by pair on {metric}: choose {METRIC}")
    score_N2 = np.array([[float(row["score_a"]), float(row["score_b"])] for row in rows], np.float32)
    return ItemCredits(_violations(score_N2), int_column(rows, "image"), [f"pair {row['id']}" for row in rows])


EQUIVALENCE = TaskKind(
    read=_read,
    score=_score,
    item_credits=_items,
    main_metrics=(METRIC,),
    lower_is_better=frozenset({METRIC}),
    main_blind=("mean_image",),
    note=(
        "The violation rate is the share of pairs of captions with one meaning whose scores with their image differ by "
        f"more than {SCORE_TOLERANCE}: less is better."
    ),
    is_valid=lambda row: bool(row.get("score_a") and row.get("score_b")),
)
