"""Section "Questions": the data of the question browser, which question_browser.js draws.

The data are columns, not records, and hold each text and picture once: 10,000 questions must stay small and quick.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.evaluation.fingerprint import SetFingerprint
from negjax.evaluation.report.asked_sets import check_set
from negjax.evaluation.report.runs import Run, runs_with_task
from negjax.evaluation.report.thumbnails import make_thumbnails
from negjax.evaluation.tasks.kind import PredictionRow
from negjax.runtime.printable import printable
from negjax.runtime.progress import track_progress

OUTCOME_CODES = {"wrong": 0, "right": 1, "tied": 2}
SCORE_SCALE = 10_000  # scores are written as whole numbers of 1e-4


@dataclass(frozen=True)
class QuestionBrowser:
    """The data of the page for question_browser.js.

    Attributes:
        data: Names of the runs, all texts, the columns of each task, and the scale of the scores.
        thumbnails: Pictures as WebP in base64, in the order that the column "image" counts.
    """

    data: dict[str, Any]
    thumbnails: list[str]


class _IndexByValue(dict[str, int]):
    """Gives each new value the next number."""

    def __missing__(self, value: str) -> int:
        self[value] = len(self)
        return self[value]


def question_browser(runs: Sequence[Run], datasets: Sequence[StoredSet]) -> QuestionBrowser | None:
    """Collects the questions of these sets and the runs' answers.

    Args:
        runs: The runs.
        datasets: The set of each question task.

    Returns:
        The data; None where there is no set.

    Raises:
        NegjaxError: Predictions and sets do not belong together, or a picture cannot be read.
    """
    if not datasets:
        return None
    text_index, image_index = _IndexByValue(), _IndexByValue()
    tasks, thumbnail_rows = [], []
    for dataset in datasets:
        earlier_images = set(image_index)
        with track_progress(len(dataset), f"reading {dataset.name}") as advance:
            task, first_rows = _read_task(runs_with_task(runs, dataset.name), dataset, text_index, image_index, advance)
        tasks.append(task)
        thumbnail_rows.append({key: row for key, row in first_rows.items() if key not in earlier_images})
    thumbnails: dict[str, str] = {}
    with track_progress(len(image_index), "thumbnails") as advance:
        for dataset, rows in zip(datasets, thumbnail_rows):
            thumbnails |= make_thumbnails(dataset, rows, advance)
    data = {"runs": [run.name for run in runs], "texts": list(text_index), "tasks": tasks, "scale": SCORE_SCALE}
    return QuestionBrowser(data, [thumbnails[key] for key in image_index])


def _read_task(
    runs: Sequence[Run],
    dataset: StoredSet,
    text_index: _IndexByValue,
    image_index: _IndexByValue,
    advance: Callable[[int], None],
) -> tuple[dict[str, Any], dict[str, int]]:
    """The columns of a task, and the first row of each of its images by media_sha256."""
    predictions = {run.name: run.predictions(dataset.name) for run in runs}
    _check_same_questions(dataset, predictions)
    fingerprint = SetFingerprint(dataset)
    kind_index = _IndexByValue()
    first_rows: dict[str, int] = {}
    names = ("id", "group", "kind", "answer", "image", "options", "option_kinds")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row_index in range(len(dataset)):
        row = dataset[row_index]
        fingerprint.add(row)
        _check_row(dataset, row, {run: rows[row_index] for run, rows in predictions.items()})
        first_rows.setdefault(row["media_sha256"], row_index)
        columns["id"].append(row["id"])
        columns["group"].append(row["group"])
        columns["kind"].append(kind_index[printable(row["kind"])])
        columns["answer"].append(row["answer"])
        columns["image"].append(image_index[row["media_sha256"]])
        columns["options"].append([text_index[printable(text)] for text in row["options"]])
        columns["option_kinds"].append([kind_index[printable(kind)] for kind in row.get("option_kinds", ())])
        advance(1)
    check_set(runs, dataset.name, fingerprint.sums())
    answers = {run: _answer_columns(rows) for run, rows in predictions.items()}
    grouped = 1 < len(set(columns["group"])) < len(dataset)
    task = {"name": dataset.name, "kinds": list(kind_index), "grouped": grouped, "runs": answers, **columns}
    return task, first_rows


def _check_same_questions(dataset: StoredSet, predictions: dict[str, list[PredictionRow]]) -> None:
    """Raises NegjaxError unless the predictions of all runs are for the same questions, as many as the set's."""
    first, *others = predictions
    for run in others:
        for first_row, row in zip(predictions[first], predictions[run]):
            if any(first_row[column] != row[column] for column in ("id", "kind", "answer")):
                raise NegjaxError(
                    f"the predictions of {run} and {first} for {dataset.name} differ in question "
                    f"{row['id']}: evaluate both again on one set"
                )
    for rows in predictions.values():
        if len(rows) != len(dataset):
            raise NegjaxError(
                f"set {dataset.name} has {len(dataset)} rows, its predictions {len(rows)}: evaluate again"
            )


def _check_row(dataset: StoredSet, row: dict[str, Any], predictions: dict[str, PredictionRow]) -> None:
    """Raises NegjaxError unless a row of the set and the runs' predictions for it are the same question."""
    for run, prediction in predictions.items():
        if (int(prediction["id"]), int(prediction["answer"])) != (row["id"], row["answer"]):
            raise NegjaxError(f"the predictions of {run} are not for this set {dataset.name}: evaluate again")


def _answer_columns(rows: list[PredictionRow]) -> dict[str, Any]:
    """The option that a run picked, the outcome (a digit of OUTCOME_CODES) and the scores of each question."""
    scores = [[float(row[key]) for key in row if key.startswith("score_")] for row in rows]
    outcomes = [OUTCOME_CODES[question_outcome(options, int(row["answer"]))] for options, row in zip(scores, rows)]
    return {
        "picks": [int(row["predicted"]) for row in rows],
        "outcomes": "".join(map(str, outcomes)),
        "scores": [[round(score * SCORE_SCALE) for score in options] for options in scores],
    }


def question_outcome(scores: Sequence[float], answer: int) -> str:
    """The outcome of a question: "right" where the answer alone has the highest score, "tied" where others share it.

    Args:
        scores: The score of each option.
        answer: Index of the right option.

    Returns:
        A key of OUTCOME_CODES.
    """
    highest = max(scores)
    if scores[answer] < highest:
        return "wrong"
    return "right" if sum(score == highest for score in scores) == 1 else "tied"
