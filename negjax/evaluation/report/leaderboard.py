"""The first table of a report, as data: runs and published rows by main figures. The page and the exports draw it."""

from collections.abc import Sequence
from dataclasses import dataclass

from negjax.evaluation.report.comparisons import Compared
from negjax.evaluation.report.published import Published, published_file, published_rows, subset_note
from negjax.evaluation.report.runs import Run, having, lower_is_better, main_figures


@dataclass(frozen=True)
class Column:
    """A main figure of a task. file: the published file it was made of, or "".

    subset: why it is not comparable with the published figures beside it, or "".
    """

    task: str
    metric: str
    lower: bool
    file: str
    subset: str


@dataclass(frozen=True)
class Cell:
    """A figure and what stands with it, in [0, 1]; None for what there is not.

    change: against the first run, as measured: where less is better, negative is good. differs: whether that is more
    than chance, by p_value. text_only: what a scorer fitted on texts alone gets. high_value: of a published range,
    its upper end.
    """

    value: float
    ci95: Sequence[float] | None = None
    change: float | None = None
    differs: bool = False
    p_value: float | None = None
    blind: float | None = None
    text_only: float | None = None
    high_value: float | None = None


@dataclass(frozen=True)
class Line:
    """A row: a run, or published figures with their source. cells: one a column."""

    name: str
    cells: list[Cell | None]
    source: str = ""
    blind: bool = False


@dataclass(frozen=True)
class Board:
    """The table. runs come first, in their order, then the published rows that have a figure here."""

    columns: list[Column]
    runs: list[Line]
    published: list[Line]


def leaderboard(runs: Sequence[Run], compared: Sequence[Compared]) -> Board:
    """The main figures of these runs and of all that was published on the same files."""
    columns = [_column(runs, task, metric) for task, metric in main_figures(runs)]
    found = {(each.run, each.task, each.metric): each for each in compared}
    lines = [
        Line(
            run.name,
            [_cell(run, runs[0], column, found.get((run.name, column.task, column.metric))) for column in columns],
        )
        for run in runs
    ]
    published = [_published(row, columns) for row in published_rows()]
    return Board(columns, lines, [line for line in published if any(line.cells)])


def _column(runs: Sequence[Run], task: str, metric: str) -> Column:
    tasks = [run.tasks[task] for run in having(runs, task)]
    file = next(filter(None, map(published_file, tasks)), "")
    beside = any((file, metric) in row.figures for row in published_rows())
    subset = next(filter(None, map(subset_note, tasks)), "") if beside else ""
    return Column(task, metric, lower_is_better(metric), file, subset)


def _cell(run: Run, first: Run, column: Column, compared: Compared | None) -> Cell | None:
    task, metric = column.task, column.metric
    value, base = run.figure(task, metric), first.figure(task, metric)
    if value is None:
        return None
    return Cell(
        value,
        run.interval(task, metric),
        None if run is first or base is None else value - base,
        bool(compared and compared.differs),
        compared.result.p_value if compared and compared.result else None,
        run.blind(task, metric),
        run.blind(task, metric, "text_only"),
    )


def _published(row: Published, columns: Sequence[Column]) -> Line:
    figures = [row.figures.get((column.file, column.metric)) for column in columns]
    cells = [Cell(low_high[0], high_value=low_high[1]) if low_high else None for low_high in figures]
    return Line(row.name, list(cells), row.source, row.blind)
