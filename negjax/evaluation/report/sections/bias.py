"""Section "Affirmation and negation in the text tower": the embeddings of both, for the same objects."""

from collections.abc import Sequence

from negjax.errors import NegjaxError
from negjax.evaluation.report.chart import Chart
from negjax.evaluation.report.runs import Run, kinds_of_tasks, read_csv
from negjax.evaluation.report.scatter_plot import SentencePoint, scatter_plot


def bias_charts(runs: Sequence[Run]) -> list[list[Chart]]:
    """For each task of kind "affirmation", a chart for each run that has it."""
    return [
        [_bias_chart(run, task) for run in runs if run.tasks.get(task, {}).get("affirmation_bias")]
        for task, kind in kinds_of_tasks(runs).items()
        if kind == "affirmation"
    ]


def _bias_chart(run: Run, task: str) -> Chart:
    """The sentences of a run, the two separations below."""
    path = run.folder / "predictions" / f"{task}.bias.csv"
    try:
        points = [
            SentencePoint(row["object"], row["template"], float(row["x"]), float(row["y"]))
            for row in read_csv(run, f"{task}.bias")
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise NegjaxError(f"{path} is damaged ({error}): evaluate this model again") from error
    separations = run.tasks[task]["affirmation_bias"].items()
    note = "; ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in separations)
    return Chart(f"{run.name}, {task}", scatter_plot(points), note)
