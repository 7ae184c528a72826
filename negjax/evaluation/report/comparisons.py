"""Each run against the first one, question by question."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.report.runs import Run, having, main_figures
from negjax.evaluation.statistics.paired import Comparison, compare, credits_of

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Compared:
    """A run beside the first on one figure. result: None where they were not asked the same.

    more, less: items on which the run earned more, or less, than the first.
    """

    run: str
    task: str
    metric: str
    result: Comparison | None
    more: int = 0
    less: int = 0

    @property
    def differs(self) -> bool:
        """Whether the difference is one that chance makes in fewer than one of twenty cases."""
        return self.result is not None and self.result.p_value < SIGNIFICANT


def compare_runs(runs: Sequence[Run]) -> list[Compared]:
    """Every later run against the first, on each main figure that both have, from their predictions.

    Raises NegjaxError for predictions that are missing or damaged.
    """
    found = []
    for task, metric in main_figures(runs):
        both = [run for run in having(runs, task) if run.figure(task, metric) is not None]
        if len(both) < 2 or both[0] is not runs[0]:
            continue
        first_N, unit_N, items = _credits(runs[0], task, metric)
        for run in both[1:]:
            other_N, _, other_items = _credits(run, task, metric)
            if items != other_items:
                found.append(Compared(run.name, task, metric, None))
                continue
            result = compare(first_N, other_N, unit_N)
            more, less = int(np.sum(other_N > first_N)), int(np.sum(other_N < first_N))
            found.append(Compared(run.name, task, metric, result, more, less))
    return found


def _credits(run: Run, task: str, metric: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Each item's credit [N], its unit [N], and what it is."""
    try:
        return credits_of(run.predictions(task), run.tasks[task]["kind"], metric)
    except NegjaxError as error:
        raise NegjaxError(f"run {run.name}, task {task}: {error}") from error
