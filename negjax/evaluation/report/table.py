"""The figures as a table for the terminal."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from negjax.evaluation.report.runs import BLIND


def table(results: dict[str, Any]) -> Table:
    """One line for each task and metric: per cent, 95 % interval, and two blind figures; 80 characters hold it.

    "blind" is the same model's figure without the image or, for some kinds of task, without what takes its place;
    results.json has all blind figures.
    """
    info = results["model"]
    title = " ".join(str(info[key]) for key in ("arch", "source", "step") if info.get(key) is not None)
    made = Table(title=escape(title), box=box.SIMPLE)
    made.add_column("task and metric", no_wrap=True)
    for heading in ("n", "%", "95 %\ninterval", "blind", "text\nonly"):
        made.add_column(heading, justify="right", no_wrap=True)
    for name, task in results["tasks"].items():
        made.add_row(f"[bold]{name}", f"{task['n']:,}")
        for metric, value in task["metrics"].items():
            low_high = task["ci95"].get(metric)
            blind = next((task["blind"][kind].get(metric) for kind in BLIND if kind in task["blind"]), None)
            made.add_row(
                f"  {escape(metric)}",
                "",
                _per_cent(value),
                f"{_per_cent(low_high[0])}-{_per_cent(low_high[1])}" if low_high else "",
                _per_cent(blind),
                _per_cent(task["blind"].get("text_only", {}).get(metric)),
            )
        made.add_section()
    return made


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
