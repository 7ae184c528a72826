"""The leaderboard, drawn: figures with intervals, changes and blind figures; published rows below the runs."""

from html import escape

from negjax.evaluation.report.leaderboard import Board, Cell, Column, Line
from negjax.evaluation.report.page.html import breakable, interval, note, per_cent, probability, section, signed, wide

HOW_TO_READ = (
    "Figures are per cent, in brackets their 95 % interval; changes are against the first run. “Blind” is what the "
    "same model scores when every image is replaced by the mean image of the task: what the text alone gives away. "
    "The gain over blind, what a model has from looking, is the figure less its blind one. A click on a heading sorts."
)
TEXT_ONLY = "“Text only” is a scorer fitted on this set's texts, cross-validated by image, that never sees an image."
STARRED = (
    "✱ differs from the first run, p < 0.05: paired, clustered by image, not corrected for the number of figures; "
    "“Against the first run” has them all."
)
QUERIES = (
    "Violation counts images among the first k that hold what the query excludes: less is better. The blind figure of "
    "queries is that of images drawn at random."
)
PUBLISHED = "Rows in grey were not run here: figures on the whole published files"
SEEING = {False: "published", True: "never sees the image"}


def leaderboard_section(board: Board) -> str:
    """The table, and what is needed to read it."""
    head = "".join(_heading(column) for column in board.columns)
    body = "".join(_line(line, board.columns) for line in (*board.runs, *board.published))
    notes = [HOW_TO_READ]
    if any(cell and cell.differs for line in board.runs for cell in line.cells):
        notes.append(STARRED)
    if any(cell and cell.text_only is not None for line in board.runs for cell in line.cells):
        notes.append(TEXT_ONLY)
    if any(column.lower for column in board.columns):
        notes.append(QUERIES)
    if board.published:
        said = {SEEING[line.blind]: line.source for line in board.published}
        notes.append(f"{PUBLISHED} ({'; '.join(f'{what}: {source}' for what, source in said.items())}).")
    table = f'<table class="headline sortable"><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>'
    return section("leaderboard", "Leaderboard", wide(table), *map(note, notes))


def _heading(column: Column) -> str:
    small = f"<small>{breakable(column.metric)}{' ↓ lower is better' if column.lower else ''}</small>"
    subset = f'<small class="warn">{escape(column.subset)}</small>' if column.subset else ""
    return f'<th scope="col"><button type="button">{breakable(column.task)}{small}</button>{subset}</th>'


def _line(line: Line, columns: list[Column]) -> str:
    cells = "".join(_cell(cell, column) for cell, column in zip(line.cells, columns))
    if not line.source:
        return f"<tr><th>{escape(line.name)}</th>{cells}</tr>"
    return f'<tr class="published"><th>{escape(line.name)} <small>{SEEING[line.blind]}</small></th>{cells}</tr>'


def _cell(cell: Cell | None, column: Column) -> str:
    if cell is None:
        return "<td></td>"
    value = per_cent(cell.value)
    if cell.high_value not in (None, cell.value):
        value += f"–{per_cent(cell.high_value)}"
    lines = [f"<b>{value}</b>"]
    if cell.ci95 is not None:
        lines.append(f"<span>{interval(cell.ci95)}</span>")
    if cell.change is not None:
        lines.append(_change(cell.change, cell.p_value if cell.differs else None, lower=column.lower))
    if cell.blind is not None:
        lines.append(f"<span>blind {per_cent(cell.blind)}</span>")
        lines.append(f"<span>gain over blind {signed(100 * (cell.value - cell.blind))}</span>")
    if cell.text_only is not None:
        lines.append(f"<span>text only {per_cent(cell.text_only)}</span>")
    return f'<td data-value="{cell.value:.6f}">{"".join(lines)}</td>'


def _change(change: float, p_value: float | None, *, lower: bool) -> str:
    """p_value: where the change is to be starred."""
    points = signed(100 * change)
    colour = "" if points[1:] == "0.0" else "up" if (change > 0) != lower else "down"
    star = "" if p_value is None else f' <abbr title="p {probability(p_value)}">✱</abbr>'
    return f'<span class="{colour}">{points} points{star}</span>'
