"""Whether runs were asked the same: figures of other questions, or about other media, are not compared."""

import logging
from collections.abc import Mapping, Sequence

from negjax.errors import NegjaxError
from negjax.evaluation.fingerprint import UNKNOWN, set_difference
from negjax.evaluation.report.runs import Run, kinds_of_tasks, runs_with_task

COMPARABLE = ("", UNKNOWN)  # remarks on sets whose figures are compared

logger = logging.getLogger(__name__)


def set_remarks(runs: Sequence[Run], task: str) -> dict[str, str]:
    """How the set of each run that has a task differs from that of the first of them: see `set_difference`."""
    having_task = runs_with_task(runs, task)
    first = having_task[0]
    return {run.name: "" if run is first else set_difference(first.tasks[task], run.tasks[task]) for run in having_task}


def check_set(runs: Sequence[Run], task: str, sums: Mapping[str, str]) -> None:
    """Checks that runs were asked what a set holds, before its texts and media are shown beside their answers.

    Args:
        runs: The runs that have the task.
        task: Name of the task, and of the set.
        sums: The set's, from `SetFingerprint`.

    Raises:
        NegjaxError: A run was asked something else. A run that does not record its set is not checked.
    """
    for run in runs:
        difference = set_difference({"set": sums}, run.tasks[task])
        if difference not in ("", UNKNOWN):
            raise NegjaxError(
                f"run {run.name}: task {task} was evaluated on {difference} than the set {task} in --data-dir holds: "
                "give the --data-dir that it was evaluated on, or leave it out, or evaluate again"
            )
        if difference:
            logger.warning(
                "run %s, task %s: it is not known whether it was asked what the set in --data-dir holds, since results "
                "of earlier versions do not record it",
                run.name,
                task,
            )


def set_notes(runs: Sequence[Run]) -> list[str]:
    """A sentence for each task whose runs are not known to have been asked the same."""
    notes = []
    for task in kinds_of_tasks(runs):
        remarks = set_remarks(runs, task)
        first = next(iter(remarks))
        by_remark: dict[str, list[str]] = {}
        for run, remark in remarks.items():
            if remark:
                by_remark.setdefault(remark, []).append(run)
        for remark, names in by_remark.items():
            if remark == UNKNOWN:
                notes.append(
                    f"{task}: it is not known whether {', '.join(names)} and {first} were asked the same questions "
                    "about the same media, since results of earlier versions do not record it: evaluate again"
                )
            else:
                notes.append(f"{task}: {', '.join(names)} saw {remark} than {first}: their figures are not comparable")
    return notes
