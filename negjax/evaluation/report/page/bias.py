"""How a text tower places affirmations and negations of the same objects."""

from collections.abc import Sequence

from negjax.errors import NegjaxError
from negjax.evaluation.report.charts import Point, scatter
from negjax.evaluation.report.page.html import chart, note, section
from negjax.evaluation.report.runs import Run, kinds_of_tasks, read_csv

HOW_TO_READ = (
    "Each point is a sentence, where the first two principal components of the model's text embeddings put it; a line "
    "joins affirmation and negation of one object. Text separation is how far a negation moves a sentence against how "
    "far another object does: 0 where “not” changes nothing, 1 where it changes as much. Image separation is the mean "
    "accuracy on affirmations and on negations; 0.5 is chance."
)


def bias_section(runs: Sequence[Run]) -> str:
    """A picture for each run and task of kind "affirmation", its two numbers below; "" where there is none."""
    parts = []
    for task, kind in kinds_of_tasks(runs).items():
        if kind == "affirmation":
            made = [_picture(run, task) for run in runs if run.tasks.get(task, {}).get("affirmation_bias")]
            parts.append(f'<div class="charts">{"".join(made)}</div>')
    return section("bias", "Affirmation and negation in the text tower", note(HOW_TO_READ), *parts) if parts else ""


def _picture(run: Run, task: str) -> str:
    said = run.tasks[task]["affirmation_bias"]
    path = run.folder / "predictions" / f"{task}.bias.csv"
    try:
        points = [Point(row["object"], row["template"], float(row["x"]), float(row["y"])) for row in read_csv(path)]
    except (KeyError, TypeError, ValueError) as error:
        raise NegjaxError(f"{path} is damaged ({error}): evaluate this model again") from error
    numbers = "; ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in said.items())
    return chart(f"{run.name}, {task}", scatter(points), note(numbers))
