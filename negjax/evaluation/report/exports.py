"""The figures for other programs: all of them as CSV, the leaderboard as Markdown and as LaTeX."""

import csv
import io
import re
from collections.abc import Sequence

from negjax.evaluation.csv_cells import to_cell
from negjax.evaluation.report.asked_sets import set_remarks
from negjax.evaluation.report.comparisons import Compared
from negjax.evaluation.report.leaderboard import Leaderboard, LeaderboardCell, LeaderboardColumn
from negjax.evaluation.report.runs import Run, kinds_of_tasks

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def to_csv(runs: Sequence[Run], comparisons: Sequence[Compared]) -> str:
    """One line for each run, task and metric; a column for each blind kind of any task; figures in [0, 1].

    The column "set" says how a run's set differs from that of the first run with the task; "" where it does not.
    "negation" has the negation method and its constants; "" for the plain cosine.
    """
    blind_kinds = list(dict.fromkeys(kind for run in runs for task in run.tasks.values() for kind in task["blind"]))
    by_figure = {(c.run, c.task, c.metric): c.result for c in comparisons if c.result}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["run", "task", "kind", "metric", "value", "low", "high", "n", "change", "p_value", "mcnemar_p", "set"]
    writer.writerow([*columns, "negation", *(f"blind_{kind}" for kind in blind_kinds)])
    remarks = {task: set_remarks(runs, task) for task in kinds_of_tasks(runs)}
    for run in runs:
        for name, task in run.tasks.items():
            for metric, value in task["metrics"].items():
                low, high = task["ci95"].get(metric, ("", ""))
                result = by_figure.get((run.name, name, metric))
                change = (result.difference, result.p_value, result.mcnemar) if result else ("", "", "")
                blind = [task["blind"].get(kind, {}).get(metric, "") for kind in blind_kinds]
                labels = [to_cell(text) for text in (run.name, name, task["kind"], metric)]
                row = [*labels, value, low, high, task["n"], *change, remarks[name][run.name], run.method, *blind]
                writer.writerow(["" if cell is None else cell for cell in row])
    return text.getvalue()


def to_markdown(board: Leaderboard, notes: Sequence[str]) -> str:
    """The leaderboard as a table of GitHub's Markdown, per cent with 95 % intervals, and notes below it."""
    head = [_escape_markdown(f"{column.task}: {column.metric}{_remark(column)}") for column in board.columns]
    lines = [f"| {' | '.join(['', *head])} |", f"| --- |{' ---: |' * len(head)}"]
    for row in (*board.runs, *board.published):
        lines.append(f"| {' | '.join([_escape_markdown(row.full_name), *map(_figure, row.cells)])} |")
    lines += [line for note in notes for line in ("", _escape_markdown(note))]
    return "\n".join(lines) + "\n"


def to_latex(board: Leaderboard, notes: Sequence[str]) -> str:
    """The leaderboard as a LaTeX table for the package booktabs, per cent with 95 % intervals; notes as comments."""
    head = [
        rf"\shortstack{{{_escape_latex(column.task)}\\{_escape_latex(column.metric + _remark(column))}}}"
        for column in board.columns
    ]
    lines = [f"% {note}" for note in notes]
    lines += ["% needs \\usepackage{booktabs}", rf"\begin{{tabular}}{{l{'r' * len(head)}}}", r"\toprule"]
    lines += [f" & {' & '.join(head)} \\\\", r"\midrule"]
    for row in (*board.runs, *board.published):
        if board.published and row is board.published[0]:
            lines.append(r"\midrule")
        cells = " & ".join(_escape_latex(_figure(cell)) for cell in row.cells)
        source = f" % {row.source}" if row.source else ""
        name = row.name if row.source else row.full_name
        lines.append(rf"{_escape_latex(name)} & {cells} \\{source}")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _figure(cell: LeaderboardCell | None) -> str:
    if cell is None:
        return ""
    if cell.upper_value not in (None, cell.value):
        return f"{100 * cell.value:.1f}–{100 * cell.upper_value:.1f}"
    interval = f" [{100 * cell.ci95[0]:.1f}–{100 * cell.ci95[1]:.1f}]" if cell.ci95 else ""
    remark = f" ({cell.set_remark})" if cell.set_remark else ""
    return f"{100 * cell.value:.1f}{interval}{remark}"


def _remark(column: LeaderboardColumn) -> str:
    remarks = ["lower is better"] if column.lower_is_better else []
    remarks += [column.published_note] if column.published_note else []
    return f" ({'; '.join(remarks)})" if remarks else ""


def _escape_markdown(text: str) -> str:
    """The text in one line, for a cell of a Markdown table."""
    return re.sub(r"([\\|*_<>`\[\]~$&#])", r"\\\1", " ".join(text.split()))


def _escape_latex(text: str) -> str:
    """The text in one line, for a cell of a LaTeX table; at its start [ and * would belong to the line break before."""
    escaped = "".join(LATEX_ESCAPES.get(character, character) for character in " ".join(text.split()))
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped
