"""The leaderboard as data: a row for each run and each published model, a column for each main figure.

The page's template and the exports draw it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.evaluation.report.asked_sets import COMPARABLE, set_remarks
from negjax.evaluation.report.comparisons import Compared
from negjax.evaluation.report.published import PublishedRow, match_published, published_rows
from negjax.evaluation.report.runs import Run, lower_is_better, main_figures, runs_with_task


@dataclass(frozen=True)
class LeaderboardColumn:
    """A main figure of a task.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        lower_is_better: Whether a smaller figure is the better one.
        file: Name of the published file that the task was built from; "" where it is none of them.
        published_note: Why the runs' figures are not comparable with the published ones; "" where they are.
    """

    task: str
    metric: str
    lower_is_better: bool
    file: str
    published_note: str


@dataclass(frozen=True)
class LeaderboardCell:
    """A figure in [0, 1] and what is shown with it; None for what does not exist.

    Attributes:
        value: The figure; of a published range, its lower end.
        ci95: Its 95 % interval.
        change: Difference from the first run, as measured: where lower is better, a negative one is an improvement.
        differs: Whether the change is statistically significant, by p_value.
        p_value: Of the paired comparison with the first run.
        blind: The same model's figure without the image.
        text_only: The figure of a scorer fitted on texts alone.
        upper_value: Of a published range, its upper end.
        set_remark: How the run's set differs from that of the first run with this task; "" where it does not.
    """

    value: float
    ci95: Sequence[float] | None = None
    change: float | None = None
    differs: bool = False
    p_value: float | None = None
    blind: float | None = None
    text_only: float | None = None
    upper_value: float | None = None
    set_remark: str = ""


@dataclass(frozen=True)
class LeaderboardRow:
    """A run, or published figures.

    Attributes:
        name: Name of the run or of the published model.
        cells: One for each column; None where there is no figure.
        source: Where published figures are from; "" for a run.
        blind: Whether the figures are those of a scorer that never sees the image.
        method: The negation method of a run and its constants; "" for the plain cosine.
    """

    name: str
    cells: list[LeaderboardCell | None]
    source: str = ""
    blind: bool = False
    method: str = ""

    @property
    def full_name(self) -> str:
        """The name with the source or the method in brackets."""
        remark = self.source or self.method
        return f"{self.name} ({remark})" if remark else self.name


@dataclass(frozen=True)
class Leaderboard:
    """The table. Runs come first, in their order, then the published rows that have a figure in one of the columns."""

    columns: list[LeaderboardColumn]
    runs: list[LeaderboardRow]
    published: list[LeaderboardRow]

    @property
    def run_cells(self) -> list[LeaderboardCell]:
        """The figures of all runs."""
        return [cell for row in self.runs for cell in row.cells if cell is not None]


def build_leaderboard(runs: Sequence[Run], comparisons: Sequence[Compared]) -> Leaderboard:
    """Collects the main figures of the runs, and all that was published on the same files.

    Args:
        runs: The runs; changes are against the first.
        comparisons: Every later run against the first.
    """
    columns = [_column(runs, task, metric) for task, metric in main_figures(runs)]
    by_figure = {(comparison.run, comparison.task, comparison.metric): comparison for comparison in comparisons}
    rows = [
        LeaderboardRow(
            run.name,
            [_cell(run, runs, column, by_figure.get((run.name, column.task, column.metric))) for column in columns],
            method=run.method,
        )
        for run in runs
    ]
    published = [_published_row(row, columns) for row in published_rows()]
    return Leaderboard(columns, rows, [row for row in published if any(row.cells)])


def _column(runs: Sequence[Run], task: str, metric: str) -> LeaderboardColumn:
    tasks = [run.tasks[task] for run in runs_with_task(runs, task)]
    file, note = match_published(tasks)
    has_published = any((file, metric) in row.figures for row in published_rows())
    return LeaderboardColumn(task, metric, lower_is_better(runs, task, metric), file, note if has_published else "")


def _cell(
    run: Run, runs: Sequence[Run], column: LeaderboardColumn, comparison: Compared | None
) -> LeaderboardCell | None:
    task, metric = column.task, column.metric
    value, first_value = run.figure(task, metric), runs[0].figure(task, metric)
    if value is None:
        return None
    remark = comparison.set_remark if comparison else set_remarks(runs, task)[run.name]
    has_change = run is not runs[0] and remark in COMPARABLE
    return LeaderboardCell(
        value,
        ci95=run.interval(task, metric),
        change=value - first_value if has_change and first_value is not None else None,
        differs=bool(comparison and comparison.differs),
        p_value=comparison.result.p_value if comparison and comparison.result else None,
        blind=run.blind(task, metric),
        text_only=run.blind(task, metric, "text_only"),
        set_remark=remark,
    )


def _published_row(row: PublishedRow, columns: Sequence[LeaderboardColumn]) -> LeaderboardRow:
    ranges = [row.figures.get((column.file, column.metric)) for column in columns]
    cells = [LeaderboardCell(low_high[0], upper_value=low_high[1]) if low_high else None for low_high in ranges]
    return LeaderboardRow(row.name, list(cells), row.source, row.blind)
