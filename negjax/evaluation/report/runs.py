"""Finished evaluations, read back from their folders, and their main figures.

Names and texts are made printable when they are read, so that none of them acts on a terminal, a page or a chart.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.csv_cells import from_cell
from negjax.evaluation.tasks.kind import PredictionRow, task_kind
from negjax.negation.table import NO_METHOD, method_text
from negjax.runtime.checksums import read_verified
from negjax.runtime.printable import printable


@dataclass(frozen=True)
class Run:
    """A folder that `negjax eval` wrote.

    Attributes:
        name: shown in the report.
        folder: the folder.
        results: the content of its results.json.
    """

    name: str
    folder: epath.Path
    results: dict[str, Any]
    _predictions: dict[str, list[PredictionRow]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def method(self) -> str:
        """The negation method and its constants, in words; "" for the plain cosine."""
        return method_text(self.results["model"])

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of results.json by name."""
        return self.results["tasks"]

    def figure(self, task: str, metric: str) -> float | None:
        """A figure in [0, 1]; None where this run has no such task or metric."""
        return self.tasks.get(task, {}).get("metrics", {}).get(metric)

    def interval(self, task: str, metric: str) -> list[float] | None:
        """The 95 % interval of a figure."""
        return self.tasks.get(task, {}).get("ci95", {}).get(metric)

    def blind(self, task: str, metric: str, kind: str = "") -> float | None:
        """The same figure without the image.

        Args:
            task: name of the task.
            metric: name of the metric.
            kind: a kind of blind figure; "" for the main one of the task.

        Returns:
            The figure in [0, 1]; None where this run does not have it.
        """
        if task not in self.tasks:
            return None
        return self.tasks[task]["blind"].get(kind or main_blind(self.tasks[task]), {}).get(metric)

    def predictions(self, task: str) -> list[PredictionRow]:
        """The rows of predictions/TASK.csv, read once. Raises NegjaxError where they are missing or damaged."""
        if task not in self._predictions:
            self._predictions[task] = _read_predictions(self, task)
        return self._predictions[task]


def read_runs(folders: Sequence[epath.PathLike]) -> list[Run]:
    """Reads the results of these folders.

    Args:
        folders: written by `negjax eval`. A run is named after its folder, after the folder's parent where it is called
            "eval"; runs of equal names get their parent's name before theirs. A folder without results of its own whose
            folders have some, as those of several negation methods, stands for these: "none" first, then by name, and
            they are named after both.

    Raises:
        NegjaxError: there is no folder, one is given twice, or one has no complete results.json.
    """
    given = [epath.Path(folder) for folder in folders]
    if not given:
        raise NegjaxError("nothing to report: give a folder that negjax eval wrote")
    paths = [path for folder in given for path in _result_folders(folder)]
    named = [path.absolute().parent if path.absolute().name == "eval" else path.absolute() for path in paths]
    names = [path.name for path in named]
    names = [
        f"{named_path.parent.name}/{named_path.name}"
        if path not in given or names.count(named_path.name) > 1
        else named_path.name
        for path, named_path in zip(paths, named)
    ]
    names = [printable(name) for name in names]
    for name in names:
        if names.count(name) > 1:
            raise NegjaxError(f"two results are called {name}: rename one of the folders")
    return [Run(name, path, _read_results(path)) for name, path in zip(names, paths)]


def _result_folders(folder: epath.Path) -> list[epath.Path]:
    """The folder itself; where it has no results.json but folders in it do, these."""
    if (folder / "results.json").exists() or not folder.is_dir():
        return [folder]
    within = [path for path in folder.iterdir() if (path / "results.json").exists()]
    return sorted(within, key=lambda path: (path.name != NO_METHOD, path.name)) or [folder]


def read_csv(run: Run, name: str) -> list[PredictionRow]:
    """The rows of the prediction file NAME.csv of a run. Raises NegjaxError where it is missing, damaged or not CSV."""
    path = run.folder / "predictions" / f"{name}.csv"
    try:
        text = read_verified(run.folder, f"predictions/{name}.csv")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [
            {name: printable(from_cell(cell)) if isinstance(cell, str) else cell for name, cell in row.items()}
            for row in rows
        ]
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): evaluate this model again") from error
    except csv.Error as error:
        raise NegjaxError(f"{path} is damaged ({error}): evaluate this model again") from error


def _read_predictions(run: Run, name: str) -> list[PredictionRow]:
    """The rows of a task's prediction file, checked."""
    path, task = run.folder / "predictions" / f"{name}.csv", run.tasks[name]
    rows, kind = read_csv(run, name), task_kind(task["kind"])
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values() or not kind.is_valid(row):
            raise NegjaxError(f"{path}, line {number} is damaged: evaluate this model again")
    if len(rows) != task["n"]:
        raise NegjaxError(f"{path} has {len(rows)} rows, not {task['n']}: evaluate this model again")
    return rows


def _read_results(folder: epath.Path) -> dict[str, Any]:
    """A results.json, after a look at all that the report uses."""
    path = folder / "results.json"
    try:
        text = read_verified(folder, path.name)
    except OSError as error:
        raise NegjaxError(f"cannot read {path} ({error.strerror}): give folders that negjax eval wrote") from error
    try:
        results = _printable_json(json.loads(text))
        for name, task in results["tasks"].items():
            if Path(name).name != name:
                raise ValueError(f"a task called {name!r} would be read from another folder")
            task_kind(task["kind"]), task["n"]
            for figures in (task["metrics"], *task["blind"].values()):
                _check_figures(*figures.values())
            for low, high in task["ci95"].values():
                _check_figures(low, high)
            for shares in task.get("confusion", {}).values():
                sum(shares.values(), 0.0)
            sum(task.get("affirmation_bias", {}).values(), 0.0)
            for figures in task.get("operators", {}).values():
                _check_figures(figures["accuracy"], figures["blind"])
                int(figures["n"])
            numbers = {**task.get("decomposition", {}), **task.get("delta_recall", {}), "plain": 0.0}
            [f"{number:.4f}" for number in numbers.values()]
            source, _ = task.get("source", {}), "".join(task.get("remarks", []))
            dict(task.get("set", {})), dict(task.get("video", {}))
            str(source.get("file", "")), source.get("rows", 0) - source.get("skipped", 0)
        dict(results["model"]), dict(results["software"]), method_text(results["model"])
    except (ValueError, KeyError, TypeError, AttributeError, NegjaxError) as error:
        raise NegjaxError(f"{path} is not a results.json of negjax eval ({error}): evaluate again") from error
    return results


def _check_figures(*figures: float) -> None:
    """Raises ValueError or TypeError unless these are figures in [0, 1]."""
    for figure in figures:
        if not -1e-9 <= figure <= 1 + 1e-9:
            raise ValueError(f"the figure {figure} is not in [0, 1]")


def _printable_json(value: Any) -> Any:
    """A JSON value with all its texts printable."""
    if isinstance(value, dict):
        return {printable(key): _printable_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_printable_json(entry) for entry in value]
    return printable(value) if isinstance(value, str) else value


def kinds_of_tasks(runs: Sequence[Run]) -> dict[str, str]:
    """The kind of every task of any run, in order of appearance."""
    return {name: task["kind"] for run in runs for name, task in run.tasks.items()}


def main_figures(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(task, metric) of the main figures of each task."""
    return [(name, metric) for name, kind in kinds_of_tasks(runs).items() for metric in task_kind(kind).main_metrics]


def main_blind(task: dict[str, Any]) -> str:
    """The kind of blind figure that is shown with the main figures of a task of results.json; "" for none."""
    return next((kind for kind in task_kind(task["kind"]).main_blind if kind in task["blind"]), "")


def lower_is_better(runs: Sequence[Run], task: str, metric: str) -> bool:
    """Whether a smaller figure of a task is the better one."""
    return metric in task_kind(kinds_of_tasks(runs)[task]).lower_is_better


def figure_notes(runs: Sequence[Run]) -> list[str]:
    """Explanations of the figures, for the kinds of task that need one."""
    return list(dict.fromkeys(note for kind in kinds_of_tasks(runs).values() if (note := task_kind(kind).note)))


def task_remarks(runs: Sequence[Run]) -> list[str]:
    """The remarks of the results, each with its task and the runs that have it."""
    names: dict[str, list[str]] = {}
    for run in runs:
        for task, result in run.tasks.items():
            for remark in result.get("remarks", []):
                names.setdefault(f"{task}: {remark}", []).append(run.name)
    return [
        remark if len(having) == len(runs) else f"{remark} ({', '.join(having)})" for remark, having in names.items()
    ]


def accuracy_metrics(runs: Sequence[Run], task: str) -> list[str]:
    """The metrics of a question task: over all, then by kind of answer."""
    metrics = dict.fromkeys(metric for run in runs for metric in run.tasks.get(task, {}).get("metrics", {}))
    return [metric for metric in metrics if metric.endswith("accuracy") and metric != "group_accuracy"]


def question_tasks(runs: Sequence[Run]) -> list[str]:
    """The tasks that show an image and ask which of some texts is right."""
    kinds = kinds_of_tasks(runs)
    return [name for name in kinds if task_kind(kinds[name]).has_questions(runs_with_task(runs, name)[0].tasks[name])]


def runs_with_task(runs: Sequence[Run], task: str) -> list[Run]:
    """The runs that have this task."""
    return [run for run in runs if task in run.tasks]
