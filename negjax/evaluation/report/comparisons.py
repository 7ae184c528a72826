"""Each run compared with the first one, item by item.

Shapes: I items (questions, captions, images, groups or queries).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.report.asked_sets import COMPARABLE, set_remarks
from negjax.evaluation.report.runs import Run, main_figures, runs_with_task
from negjax.evaluation.statistics.paired import Comparison, compare
from negjax.evaluation.tasks.kind import ItemCredits, item_credits

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Compared:
    """The comparison of a run with the first run on one figure.

    Attributes:
        run: the run's name.
        task: the task.
        metric: the figure.
        result: the comparison; None where the two runs were not scored on the same items.
        set_remark: how the run's set differs from the first run's; "" where it does not.
        more: items on which the run earned more than the first.
        less: items on which it earned less.
    """

    run: str
    task: str
    metric: str
    result: Comparison | None
    set_remark: str = ""
    more: int = 0
    less: int = 0

    @property
    def differs(self) -> bool:
        """Whether the difference is significant: its p-value is below SIGNIFICANT."""
        return self.result is not None and self.result.p_value < SIGNIFICANT


def compare_runs(runs: Sequence[Run]) -> list[Compared]:
    """Compares every later run with the first, on each main figure that both have, from their predictions.

    Raises:
        NegjaxError: predictions are missing or damaged.
    """
    compared = []
    for task, metric in main_figures(runs):
        having_figure = [run for run in runs_with_task(runs, task) if run.figure(task, metric) is not None]
        if len(having_figure) < 2 or having_figure[0] is not runs[0]:
            continue
        first, remarks = _items(runs[0], task, metric), set_remarks(runs, task)
        for run in having_figure[1:]:
            other, remark = _items(run, task, metric), remarks[run.name]
            if first.labels != other.labels and remark in COMPARABLE:
                remark = "other questions"
            if remark not in COMPARABLE:
                compared.append(Compared(run.name, task, metric, None, remark))
                continue
            result = compare(first.credit_I, other.credit_I, first.unit_I)
            more, less = int(np.sum(other.credit_I > first.credit_I)), int(np.sum(other.credit_I < first.credit_I))
            compared.append(Compared(run.name, task, metric, result, remark, more, less))
    return compared


def _items(run: Run, task: str, metric: str) -> ItemCredits:
    """The items of a figure of a run."""
    try:
        return item_credits(run.predictions(task), run.tasks[task]["kind"], metric)
    except NegjaxError as error:
        raise NegjaxError(f"run {run.name}, task {task}: {error}") from error
