"""Finished evaluations, read back from their folders, and their main figures."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.prepare import QUESTIONS

MAIN = {  # the figures of a task that stand for it
    "retrieval": ("image_retrieval_recall@5",),
    "zeroshot": ("accuracy",),
    "truth_table": ("accuracy", "group_accuracy"),
}


@dataclass(frozen=True)
class Run:
    """A folder that `negjax eval` wrote. results: the content of its results.json."""

    name: str
    folder: epath.Path
    results: dict[str, Any]

    @property
    def tasks(self) -> dict[str, Any]:
        return self.results["tasks"]

    def figure(self, task: str, metric: str) -> float | None:
        """A figure in [0, 1]; None where this run has no such task or metric."""
        return self.tasks.get(task, {}).get("metrics", {}).get(metric)

    def blind(self, task: str, metric: str, kind: str = "mean_image") -> float | None:
        """The same figure of the model that does not see the image."""
        return self.tasks.get(task, {}).get("blind", {}).get(kind, {}).get(metric)

    def predictions(self, task: str) -> list[dict[str, str]]:
        """The rows of predictions/TASK.csv."""
        path = self.folder / "predictions" / f"{task}.csv"
        try:
            rows = list(csv.DictReader(path.read_text().splitlines()))
        except OSError as error:
            raise NegjaxError(f"cannot read {path} ({error.strerror}): evaluate this model again") from error
        except (ValueError, csv.Error) as error:
            raise NegjaxError(f"{path} is damaged ({error}): evaluate this model again") from error
        for number, row in enumerate(rows, 2):
            whole = all((row.get(key) or "").isdecimal() for key in ("id", "answer", "predicted"))
            if not whole or row.get("kind") is None or not row.get(f"score_{row['predicted']}"):
                raise NegjaxError(f"{path}, line {number} is damaged: evaluate this model again")
        if len(rows) != self.tasks[task]["n"]:
            raise NegjaxError(f"{path} has {len(rows)} rows, not {self.tasks[task]['n']}: evaluate this model again")
        return rows


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


def by_kind(runs: Sequence[Run], task: str) -> list[str]:
    """The metrics of a question task: over all, then by kind of answer."""
    found = dict.fromkeys(metric for run in runs for metric in run.tasks.get(task, {}).get("metrics", {}))
    return [metric for metric in found if metric.endswith("accuracy") and metric != "group_accuracy"]


def question_tasks(runs: Sequence[Run]) -> list[str]:
    """The tasks that ask questions."""
    return [name for name, kind in kinds_of_tasks(runs).items() if kind in QUESTIONS]
