"""Section "By kind of answer": bars with their blind marks."""

import textwrap
from collections.abc import Sequence

from negjax.evaluation.report.asked_sets import set_remarks
from negjax.evaluation.report.bar_chart import bar_chart
from negjax.evaluation.report.chart import Chart
from negjax.evaluation.report.runs import (
    Run,
    accuracy_metrics,
    main_figures,
    question_tasks,
    runs_with_task,
)

BLIND_LEVELS = {  # blind kinds that need no model: one level for all runs
    "text_only": "text only, fitted on this set",
    "rule_longer_affirmation": "rule: the longer affirmation",
    "rule_absent_object": "rule: the absent object",
}


def accuracy_charts(runs: Sequence[Run]) -> list[Chart]:
    """A chart of bars for each question task, and one for all other tasks."""
    question_names = question_tasks(runs)
    charts = [_question_chart(runs, task) for task in question_names]
    other_figures = [(task, metric) for task, metric in main_figures(runs) if task not in question_names]
    if other_figures:
        svg = bar_chart(
            [_group_label(task, metric) for task, metric in other_figures],
            {run.name: [run.figure(task, metric) for task, metric in other_figures] for run in runs},
            {run.name: [run.blind(task, metric) for task, metric in other_figures] for run in runs},
        )
        charts.append(Chart("the other tasks", svg, _set_note(runs, [task for task, _ in other_figures])))
    return charts


def _question_chart(runs: Sequence[Run], task: str) -> Chart:
    """A group of bars for all questions, and one for each kind."""
    metrics = accuracy_metrics(runs, task)
    first = runs_with_task(runs, task)[0]
    option_count = sum(column.startswith("score_") for column in first.predictions(task)[0])
    svg = bar_chart(
        [metric.removesuffix("_accuracy").replace("accuracy", "all") for metric in metrics],
        {run.name: [run.figure(task, metric) for metric in metrics] for run in runs},
        {run.name: [run.blind(task, metric) for metric in metrics] for run in runs},
        chance=1 / option_count,
        levels={
            label: [first.blind(task, metric, blind_kind) for metric in metrics]
            for blind_kind, label in BLIND_LEVELS.items()
        },
    )
    return Chart(f"{task}: accuracy by kind of answer", svg, _set_note(runs, [task]))


def _set_note(runs: Sequence[Run], tasks: Sequence[str]) -> str:
    """The bars of tasks that stand beside each other although the runs' sets differ, or may differ."""
    remarks = {(run, remark): None for task in tasks for run, remark in set_remarks(runs, task).items() if remark}
    return "; ".join(f"{run}: {remark}" for run, remark in remarks)


def _group_label(task: str, metric: str) -> str:
    """Task and metric in lines that are short enough for below a group of bars."""
    task_words = task.replace("-", "_").replace("_", " ")
    return "\n".join([*textwrap.wrap(task_words, 13), metric.replace("image_retrieval_recall", "recall")])
