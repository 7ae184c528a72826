"""Sections "Models" and "Everything": models and software of the runs, and every figure of every task."""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.evaluation.report.asked_sets import set_remarks
from negjax.evaluation.report.published import (
    FigureRange,
    PublishedRow,
    match_published,
    published_rows,
)
from negjax.evaluation.report.runs import Run, kinds_of_tasks, runs_with_task


@dataclass(frozen=True)
class ModelSummary:
    """A line of the table of models; each text is "" where the run does not record it."""

    run: str
    architecture: str
    activation: str
    weights: str
    sha256: str
    negation: str
    software: str


@dataclass(frozen=True)
class DetailCell:
    """A figure of a run in [0, 1], its 95 % interval (None for none), and its blind figures by kind."""

    value: float
    ci95: Sequence[float] | None
    blind: dict[str, float]


@dataclass(frozen=True)
class TaskDetails:
    """Every figure of a task.

    Attributes:
        task: Name of the task.
        kind: Its kind.
        n: Number of its items, of the run that has most.
        runs: Names of all runs.
        published: Names of the published rows that have a figure on the same file.
        published_note: Why the published figures are not comparable; "" where they are.
        set_remarks: How each run's set differs from that of the first one with the task; "" where it does not.
        cells: Metric -> the figure of each run; None for none.
        published_cells: Metric -> the figure of each published row; None for none.
    """

    task: str
    kind: str
    n: int
    runs: list[str]
    published: list[str]
    published_note: str
    set_remarks: list[str]
    cells: dict[str, list[DetailCell | None]]
    published_cells: dict[str, list[FigureRange | None]]


def summarize_model(run: Run) -> ModelSummary:
    """What the run evaluated, and with which software."""
    model, software = run.results["model"], run.results["software"]
    activation, trained_with = model.get("activation", ""), model.get("activation_of_weights", "")
    differs = trained_with and trained_with != activation
    step = f", step {model['step']}" if model.get("step") is not None else ""
    return ModelSummary(
        run=run.name,
        architecture=str(model.get("arch", "")),
        activation=f"{activation} (the weights': {trained_with})" if differs else str(activation),
        weights=f"{model.get('source', '')}{step}",
        sha256=str(model.get("sha256", ""))[:12],
        negation="; ".join([run.method, *dict.fromkeys(model.get("negation", {}).get("origins", {}).values())]),
        software=", ".join(f"{name} {software[name]}" for name in ("negjax", "jax") if name in software),
    )


def collect_details(runs: Sequence[Run]) -> list[TaskDetails]:
    """All metrics of all tasks, with all their blind and published figures."""
    return [_task_details(runs, task, kind) for task, kind in kinds_of_tasks(runs).items()]


def _task_details(runs: Sequence[Run], task: str, kind: str) -> TaskDetails:
    results = [run.tasks[task] for run in runs_with_task(runs, task)]
    metrics = dict.fromkeys(metric for result in results for metric in result["metrics"])
    remarks = set_remarks(runs, task)
    published_file, published_note = match_published(results)
    published = _published_on(published_file)
    return TaskDetails(
        task=task,
        kind=kind,
        n=max(result["n"] for result in results),
        runs=[run.name for run in runs],
        published=[row.name for row, _ in published],
        published_note=published_note,
        set_remarks=[remarks.get(run.name, "") for run in runs],
        cells={metric: [_detail_cell(run, task, metric) for run in runs] for metric in metrics},
        published_cells={metric: [figures.get(metric) for _, figures in published] for metric in metrics},
    )


def _published_on(file: str) -> list[tuple[PublishedRow, dict[str, FigureRange]]]:
    """The published rows with figures on this file, and these figures by metric."""
    rows = [
        (row, {metric: figure for (row_file, metric), figure in row.figures.items() if row_file == file})
        for row in published_rows()
    ]
    return [(row, figures) for row, figures in rows if figures]


def _detail_cell(run: Run, task: str, metric: str) -> DetailCell | None:
    value = run.figure(task, metric)
    if value is None:
        return None
    blind = {kind: run.blind(task, metric, kind) for kind in run.tasks[task]["blind"]}
    shown = {kind: figure for kind, figure in blind.items() if figure is not None}
    return DetailCell(value, run.interval(task, metric), shown)
