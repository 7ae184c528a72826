"""The figures for other programs: every one as CSV, the leaderboard as Markdown and as LaTeX."""

import csv
import io
import re
from collections.abc import Sequence

from negjax.evaluation.report.comparisons import Compared
from negjax.evaluation.report.leaderboard import Board, Cell, Column
from negjax.evaluation.report.runs import Run

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def to_csv(runs: Sequence[Run], compared: Sequence[Compared]) -> str:
    """One line for each run, task and metric; a column for each blind kind of any task; figures in [0, 1]."""
    blinds = list(dict.fromkeys(kind for run in runs for task in run.tasks.values() for kind in task["blind"]))
    against = {(each.run, each.task, each.metric): each.result for each in compared if each.result}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["run", "task", "kind", "metric", "value", "low", "high", "n", "change", "p_value", "mcnemar_p"]
    writer.writerow(columns + [f"blind_{kind}" for kind in blinds])
    for run in runs:
        for name, task in run.tasks.items():
            for metric, value in task["metrics"].items():
                low, high = task["ci95"].get(metric, ("", ""))
                result = against.get((run.name, name, metric))
                change = (result.difference, result.p_value, result.mcnemar) if result else ("", "", "")
                shut = [task["blind"].get(kind, {}).get(metric, "") for kind in blinds]
                row = [run.name, name, task["kind"], metric, value, low, high, task["n"], *change, *shut]
                writer.writerow(["" if cell is None else cell for cell in row])
    return text.getvalue()


def to_markdown(board: Board) -> str:
    """The leaderboard as a table of GitHub's Markdown, per cent with 95 % intervals."""
    head = [_plain(f"{column.task}: {column.metric}{_remark(column)}") for column in board.columns]
    lines = [f"| {' | '.join(['', *head])} |", f"| --- |{' ---: |' * len(head)}"]
    for line in (*board.runs, *board.published):
        name = f"{line.name} ({line.source})" if line.source else line.name
        lines.append(f"| {' | '.join([_plain(name), *map(_figure, line.cells)])} |")
    return "\n".join(lines) + "\n"


def to_latex(board: Board) -> str:
    """The leaderboard as a LaTeX table for the package booktabs, per cent with 95 % intervals."""
    head = [rf"\shortstack{{{_tex(column.task)}\\{_tex(column.metric + _remark(column))}}}" for column in board.columns]
    lines = ["% needs \\usepackage{booktabs}", rf"\begin{{tabular}}{{l{'r' * len(head)}}}", r"\toprule"]
    lines += [f" & {' & '.join(head)} \\\\", r"\midrule"]
    for line in board.runs:
        lines.append(rf"{_tex(line.name)} & {' & '.join(_tex(_figure(cell)) for cell in line.cells)} \\")
    if board.published:
        lines.append(r"\midrule")
    for line in board.published:
        lines.append(
            rf"{_tex(line.name)} & {' & '.join(_tex(_figure(cell)) for cell in line.cells)} \\ % {line.source}"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _figure(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.high_value not in (None, cell.value):
        return f"{100 * cell.value:.1f}–{100 * cell.high_value:.1f}"
    interval = f" [{100 * cell.ci95[0]:.1f}–{100 * cell.ci95[1]:.1f}]" if cell.ci95 else ""
    return f"{100 * cell.value:.1f}{interval}"


def _remark(column: Column) -> str:
    remarks = ["lower is better"] if column.lower else []
    remarks += [column.subset] if column.subset else []
    return f" ({'; '.join(remarks)})" if remarks else ""


def _plain(text: str) -> str:
    """For a cell of Markdown."""
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", " ".join(text.split()))


def _tex(text: str) -> str:
    """For a cell of LaTeX."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split())).replace("–", "--")
