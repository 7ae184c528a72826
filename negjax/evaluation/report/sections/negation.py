"""Section "Negation, by operator and by cause": accuracy by operator, bias and interaction, recall lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from negjax.evaluation.report.runs import Run, kinds_of_tasks, runs_with_task


@dataclass(frozen=True)
class OperatorTable:
    """Accuracy by operator of a task.

    Attributes:
        task: Name of the task.
        counts: Operator -> number of questions.
        rows: Name of a run -> "accuracy" and "blind" for each operator; None where it has no figure.
    """

    task: str
    counts: dict[str, int]
    rows: dict[str, list[dict[str, float] | None]]


@dataclass(frozen=True)
class DecompositionRow:
    """Bias and interaction of a run on a truth table, in cosines; right is a share."""

    task: str
    run: str
    caption_bias: float
    image_bias: float
    interaction: float
    right: float


@dataclass(frozen=True)
class DeltaRow:
    """The recall of plain captions less that of negated ones, for each of `NegationTables.delta_names`."""

    task: str
    run: str
    plain: str
    differences: list[float | None]


@dataclass(frozen=True)
class NegationTables:
    """The tables of the section."""

    operators: list[OperatorTable]
    decompositions: list[DecompositionRow]
    deltas: list[DeltaRow]
    delta_names: list[str]

    @property
    def any(self) -> bool:
        """Whether there is something to show."""
        return bool(self.operators or self.decompositions or self.deltas)


def negation_tables(runs: Sequence[Run]) -> NegationTables:
    """The tables of all runs and tasks; results of earlier versions have none of these figures."""
    details = [(task, run, run.tasks[task]) for task in kinds_of_tasks(runs) for run in runs_with_task(runs, task)]
    deltas = [(task, run.name, result["delta_recall"]) for task, run, result in details if "delta_recall" in result]
    delta_names = list(dict.fromkeys(name for _, _, delta in deltas for name in delta if name != "plain"))
    return NegationTables(
        [table for task in kinds_of_tasks(runs) if (table := _operator_table(runs, task)).counts],
        [_decomposition_row(task, run.name, result) for task, run, result in details if "decomposition" in result],
        [
            DeltaRow(task, run, str(delta["plain"]), [delta.get(name) for name in delta_names])
            for task, run, delta in deltas
        ],
        delta_names,
    )


def _operator_table(runs: Sequence[Run], task: str) -> OperatorTable:
    figures = {run.name: run.tasks[task].get("operators", {}) for run in runs_with_task(runs, task)}
    counts: dict[str, int] = {}
    for operators in figures.values():
        counts |= {name: int(operator["n"]) for name, operator in operators.items() if name not in counts}
    rows = {run: [operators.get(name) for name in counts] for run, operators in figures.items() if operators}
    return OperatorTable(task, counts, rows)


def _decomposition_row(task: str, run: str, result: dict[str, Any]) -> DecompositionRow:
    figures = result["decomposition"]
    names = ("caption_bias", "image_bias", "interaction", "right")
    return DecompositionRow(task, run, *(figures[name] for name in names))
