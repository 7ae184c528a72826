"""By kind of question: bars with their blind marks, and which kind was picked for which."""

import textwrap
from collections.abc import Sequence
from html import escape

from negjax.evaluation.report.charts import bars
from negjax.evaluation.report.page.html import breakable, chart, note, per_cent, section
from negjax.evaluation.report.runs import Run, by_kind, having, main_figures, question_tasks

LEVELS = {  # blind kinds that need no model: one level for all runs
    "text_only": "text only, fitted on this set",
    "rule_longer_affirmation": "rule: the longer affirmation",
    "rule_absent_object": "rule: the absent object",
}
HOW_TO_READ = (
    "Rows: the kind of question. Columns: the right answer (framed), or the kind of the wrong one that was picked. "
    "Each row's shares, in per cent, sum to 100."
)


def kinds_section(runs: Sequence[Run]) -> str:
    """A chart of bars for each question task, and one for all others."""
    questions = question_tasks(runs)
    made = [_bars(runs, task) for task in questions]
    others = [(task, metric) for task, metric in main_figures(runs) if task not in questions]
    if others:
        svg = bars(
            [_label(task, metric) for task, metric in others],
            {run.name: [run.figure(*each) for each in others] for run in runs},
            {run.name: [run.blind(*each) for each in others] for run in runs},
        )
        made.append(chart("the other tasks", svg))
    return section("kinds", "By kind of answer", f'<div class="charts">{"".join(made)}</div>')


def _label(task: str, metric: str) -> str:
    """Task and metric in lines short enough to stand under a group of bars."""
    words = task.replace("-", "_").replace("_", " ")
    return "\n".join([*textwrap.wrap(words, 13), metric.replace("image_retrieval_recall", "recall")])


def _bars(runs: Sequence[Run], task: str) -> str:
    metrics = by_kind(runs, task)
    groups = [metric.removesuffix("_accuracy").replace("accuracy", "all") for metric in metrics]
    first = having(runs, task)[0]
    options = sum(key.startswith("score_") for key in first.predictions(task)[0])
    levels = {said: [first.blind(task, metric, kind) for metric in metrics] for kind, said in LEVELS.items()}
    svg = bars(
        groups,
        {run.name: [run.figure(task, metric) for metric in metrics] for run in runs},
        {run.name: [run.blind(task, metric) for metric in metrics] for run in runs},
        chance=1 / options,
        levels=levels,
    )
    return chart(f"{task}: accuracy by kind of answer", svg)


def confusion_section(runs: Sequence[Run]) -> str:
    """A small table for each task and run; "" where no run says what was picked."""
    tasks = dict.fromkeys(task for run in runs for task in run.tasks if run.tasks[task].get("confusion"))
    if not tasks:
        return ""
    parts = [note(HOW_TO_READ)]
    for task in tasks:
        said = [
            (run.name, run.tasks[task]["confusion"]) for run in having(runs, task) if run.tasks[task].get("confusion")
        ]
        tables = "".join(
            f"<figure><figcaption>{escape(name)}</figcaption>{_heat(table)}</figure>" for name, table in said
        )
        parts.append(f'<h3>{escape(task)}</h3><div class="charts">{tables}</div>')
    return section("confusion", "What was picked for what", *parts)


def _heat(confusion: dict[str, dict[str, float]]) -> str:
    """One table; the right answers first, then the wrong ones by kind."""
    order = list(dict.fromkeys(["right", *(kind for row in confusion.values() for kind in row)]))
    head = "".join(f"<th>{breakable(kind)}</th>" for kind in order)
    rows = []
    for kind, shares in confusion.items():
        cells = "".join(_share(shares.get(other, 0.0), right=other == "right") for other in order)
        rows.append(f"<tr><th>{breakable(kind)}</th>{cells}</tr>")
    return f'<table class="heat"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _share(share: float, *, right: bool) -> str:
    return f'<td class="{"right" if right else "wrong"}" style="--share:{share:.3f}">{per_cent(share)}</td>'
