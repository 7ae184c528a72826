"""Section "What was picked for what": which kind of option was picked for which kind of question."""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.evaluation.report.runs import Run, runs_with_task


@dataclass(frozen=True)
class ConfusionTable:
    """The picks of a run in a task.

    Attributes:
        task: Name of the task.
        run: Name of the run.
        picked_kinds: The columns: "right", then the kinds of wrong options.
        shares: Kind of question -> the share of each column, in [0, 1].
    """

    task: str
    run: str
    picked_kinds: list[str]
    shares: dict[str, list[float]]


def confusion_tables(runs: Sequence[Run]) -> list[ConfusionTable]:
    """A table for each task and each run that has recorded the picks by kind."""
    tasks = dict.fromkeys(task for run in runs for task in run.tasks if run.tasks[task].get("confusion"))
    return [
        _confusion_table(task, run.name, run.tasks[task]["confusion"])
        for task in tasks
        for run in runs_with_task(runs, task)
        if run.tasks[task].get("confusion")
    ]


def _confusion_table(task: str, run: str, confusion: dict[str, dict[str, float]]) -> ConfusionTable:
    picked_kinds = list(dict.fromkeys(["right", *(kind for shares in confusion.values() for kind in shares)]))
    shares_by_kind = {kind: [shares.get(picked, 0.0) for picked in picked_kinds] for kind, shares in confusion.items()}
    return ConfusionTable(task, run, picked_kinds, shares_by_kind)
