"""The figures as a table for the terminal."""

from typing import Any

from rich import box
from rich.table import Table


def table(results: dict[str, Any]) -> Table:
    """One line for each task and metric: per cent, 95 % interval, and blind figures (results.json has them all)."""
    info = results["model"]
    title = " ".join(str(info[key]) for key in ("arch", "source", "step") if info.get(key) is not None)
    made = Table(title=title, box=box.SIMPLE)
    made.add_column("task and metric", no_wrap=True)
    found = dict.fromkeys(kind for task in results["tasks"].values() for kind in task["blind"])
    shown = [kind for kind in found if not kind.startswith(("text_only_from_", "rule_"))]
    for heading in ("n", "%", "95 %\ninterval", *(kind.replace("_", "\n") for kind in shown)):
        made.add_column(heading, justify="right", no_wrap=True)
    for name, task in results["tasks"].items():
        made.add_row(f"[bold]{name}", f"{task['n']:,}")
        for metric, value in task["metrics"].items():
            low_high = task["ci95"].get(metric)
            blind = [task["blind"].get(kind, {}).get(metric) for kind in shown]
            made.add_row(
                f"  {metric}",
                "",
                _per_cent(value),
                f"{_per_cent(low_high[0])}-{_per_cent(low_high[1])}" if low_high else "",
                *(_per_cent(figure) for figure in blind),
            )
        made.add_section()
    return made


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
