"""The figures as a table for the terminal."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from negjax.evaluation.report.runs import main_blind
from negjax.negation.table import method_text
from negjax.runtime.printable import printable


def table(results: dict[str, Any]) -> Table:
    """One line for each task and metric: per cent, 95 % interval, and two blind figures; 80 characters hold it.

    "blind" is the main blind figure of the kind of task, usually the same model's figure without the image;
    results.json has all blind figures.

    Args:
        results: the content of results.json.
    """
    info = results["model"]
    title = " ".join(str(info[key]) for key in ("arch", "source", "step") if info.get(key) is not None)
    if method := method_text(info):
        title += f", negation by {method}"
    remarks = [f"{name}: {text}" for name, task in results["tasks"].items() for text in task.get("remarks", [])]
    caption = Text("\n".join(map(printable, remarks)), justify="left") if remarks else None
    figures_table = Table(title=escape(printable(title)), caption=caption, box=box.SIMPLE)
    figures_table.add_column("task and metric", no_wrap=True)
    for heading in ("n", "%", "95 %\ninterval", "blind", "text\nonly"):
        figures_table.add_column(heading, justify="right", no_wrap=True)
    for name, task in results["tasks"].items():
        figures_table.add_row(f"[bold]{escape(printable(name))}", f"{task['n']:,}")
        for metric, value in task["metrics"].items():
            low_high = task["ci95"].get(metric)
            blind = task["blind"].get(main_blind(task), {}).get(metric)
            figures_table.add_row(
                f"  {escape(printable(metric))}",
                "",
                _per_cent(value),
                f"{_per_cent(low_high[0])}-{_per_cent(low_high[1])}" if low_high else "",
                _per_cent(blind),
                _per_cent(task["blind"].get("text_only", {}).get(metric)),
            )
        figures_table.add_section()
    return figures_table


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
