"""Finished evaluations, read back from their folders, and their main figures."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.prepare import QUESTIONS

MAIN = {  # the figures of a task that stand for it; "accuracy" for other kinds
    "retrieval": ("image_retrieval_recall@5",),
    "truth_table": ("accuracy", "group_accuracy"),
    "queries": ("violation@10", "precision@10"),
}
BLIND = ("mean_image", "mean_text", "random_image")  # the blind kinds that stand beside them; a task has one of these
RANKED = ("caption_id", "image_id", "rank", "ties")  # columns of the predictions of a retrieval task

PredictionRow = dict[str, str]


@dataclass(frozen=True)
class Run:
    """A folder that `negjax eval` wrote. results: the content of its results.json."""

    name: str
    folder: epath.Path
    results: dict[str, Any]
    _read: dict[str, list[PredictionRow]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def tasks(self) -> dict[str, Any]:
        return self.results["tasks"]

    def figure(self, task: str, metric: str) -> float | None:
        """A figure in [0, 1]; None where this run has no such task or metric."""
        return self.tasks.get(task, {}).get("metrics", {}).get(metric)

    def interval(self, task: str, metric: str) -> list[float] | None:
        """Its 95 % interval."""
        return self.tasks.get(task, {}).get("ci95", {}).get(metric)

    def blind(self, task: str, metric: str, kind: str = "") -> float | None:
        """The same figure of what does not see the image. kind: "" for the one of BLIND that the task has."""
        found = self.tasks.get(task, {}).get("blind", {})
        kind = kind or next((each for each in BLIND if each in found), "")
        return found.get(kind, {}).get(metric)

    def predictions(self, task: str) -> list[PredictionRow]:
        """The rows of predictions/TASK.csv, read once. Raises NegjaxError where they are missing or damaged."""
        if task not in self._read:
            self._read[task] = self._predictions(task)
        return self._read[task]

    def _predictions(self, task: str) -> list[PredictionRow]:
        path = self.folder / "predictions" / f"{task}.csv"
        rows = read_csv(path)
        kind = self.tasks[task]["kind"]
        asked = kind in QUESTIONS or (bool(rows) and "answer" in rows[0])
        numbers = ("id", "answer", "predicted") if asked else RANKED if kind == "retrieval" else ()
        for number, row in enumerate(rows, 2):
            whole = None not in row and None not in row.values()
            whole = whole and all(row.get(key, "").isdecimal() for key in numbers)
            if not whole or (asked and not ("kind" in row and row.get(f"score_{row['predicted']}"))):
                raise NegjaxError(f"{path}, line {number} is damaged: evaluate this model again")
        if len(rows) != self.tasks[task]["n"]:
            raise NegjaxError(f"{path} has {len(rows)} rows, not {self.tasks[task]['n']}: evaluate this model again")
        return rows


def read_csv(path: epath.Path) -> list[PredictionRow]:
    """The rows of a file of predictions. Raises NegjaxError where it is missing or no CSV."""
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): evaluate this model again") from error
    except (ValueError, csv.Error) as error:
        raise NegjaxError(f"{path} is damaged ({error}): evaluate this model again") from error


def read_runs(folders: Sequence[epath.PathLike]) -> list[Run]:
    """The runs of these folders, named after them; a folder called "eval" takes its parent's name.

    Runs of one name get their parent's before it. Raises NegjaxError for no folder, a folder given twice, and one
    without a whole results.json.
    """
    paths = [epath.Path(folder) for folder in folders]
    if not paths:
        raise NegjaxError("nothing to report: give a folder that negjax eval wrote")
    named = [path.absolute().parent if path.absolute().name == "eval" else path.absolute() for path in paths]
    names = [path.name for path in named]
    names = [f"{path.parent.name}/{path.name}" if names.count(path.name) > 1 else path.name for path in named]
    for name in names:
        if names.count(name) > 1:
            raise NegjaxError(f"two results are called {name}: rename one of the folders")
    return [Run(name, path, _read(path / "results.json")) for name, path in zip(names, paths)]


def _read(path: epath.Path) -> dict[str, Any]:
    try:
        results = json.loads(path.read_text())
        for task in results["tasks"].values():
            task["kind"], task["n"]
            for figures in (task["metrics"], *task["blind"].values()):
                sum(figures.values(), 0.0)
            for low, high in task["ci95"].values():
                sum((low, high), 0.0)
            for picked in task.get("confusion", {}).values():
                sum(picked.values(), 0.0)
            sum(task.get("affirmation_bias", {}).values(), 0.0)
            source = task.get("source", {})
            str(source.get("file", "")), source.get("rows", 0) - source.get("skipped", 0)
        dict(results["model"]), dict(results["software"])
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): give folders that negjax eval wrote") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NegjaxError(f"{path} is not a results.json of negjax eval ({error}): evaluate again") from error
    return results


def kinds_of_tasks(runs: Sequence[Run]) -> dict[str, str]:
    """The kind of every task of any run, in order of appearance."""
    return {name: task["kind"] for run in runs for name, task in run.tasks.items()}


def main_figures(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(task, metric) of the figures that stand for each task."""
    return [(name, metric) for name, kind in kinds_of_tasks(runs).items() for metric in MAIN.get(kind, ("accuracy",))]


def lower_is_better(metric: str) -> bool:
    """Whether a metric counts what went wrong."""
    return metric.startswith("violation@")


def by_kind(runs: Sequence[Run], task: str) -> list[str]:
    """The metrics of a question task: over all, then by kind of answer."""
    found = dict.fromkeys(metric for run in runs for metric in run.tasks.get(task, {}).get("metrics", {}))
    return [metric for metric in found if metric.endswith("accuracy") and metric != "group_accuracy"]


def question_tasks(runs: Sequence[Run]) -> list[str]:
    """The tasks that show an image and ask which of some texts is right; of pairs, those that do."""
    return [name for name, kind in kinds_of_tasks(runs).items() if _asks(having(runs, name)[0], name, kind)]


def _asks(run: Run, task: str, kind: str) -> bool:
    return kind in QUESTIONS or (kind == "pairs" and "predicted" in run.predictions(task)[0])


def having(runs: Sequence[Run], task: str) -> list[Run]:
    """The runs that have this task."""
    return [run for run in runs if task in run.tasks]
