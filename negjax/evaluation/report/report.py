"""Evaluations as one page for people: figures beside their blind ones, charts, every question. It needs no network."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from etils import epath

from negjax.datasets.stored.store import open_set, set_names
from negjax.errors import NegjaxError
from negjax.evaluation.report.comparisons import compare_runs
from negjax.evaluation.report.exports import to_csv, to_latex, to_markdown
from negjax.evaluation.report.leaderboard import leaderboard
from negjax.evaluation.report.page.bias import bias_section
from negjax.evaluation.report.page.browser import browser_section
from negjax.evaluation.report.page.comparisons import comparisons_section
from negjax.evaluation.report.page.details import details_section, models_section
from negjax.evaluation.report.page.html import note as paragraph
from negjax.evaluation.report.page.kinds import confusion_section, kinds_section
from negjax.evaluation.report.page.leaderboard import leaderboard_section
from negjax.evaluation.report.page.retrieval import worst_section
from negjax.evaluation.report.runs import Run, kinds_of_tasks, question_tasks, read_runs
from negjax.runtime.files import write_atomic


def write_report(
    runs: Sequence[epath.PathLike],
    out: epath.PathLike,
    *,
    title: str,
    data_dir: epath.PathLike | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes a self-contained page about the folders `runs`, which `negjax eval` wrote, in this order.

    out: a name that ends in .html; beside it go the same name with .csv (every figure), .md and .tex (the leaderboard).
    data_dir: where the sets are, for the browser of questions and the captions found worst; None leaves them out.
    notes: paragraphs put below the title. Raises NegjaxError for folders that hold no whole evaluation, or one of other
    data than data_dir's.
    """
    page = epath.Path(out)
    if page.suffix != ".html":
        raise NegjaxError(f"the report would be written to {out}: give a name that ends in .html")
    read = read_runs(runs)
    compared = compare_runs(read)
    board = leaderboard(read, compared)
    sets = None if data_dir is None else [open_set(data_dir, name) for name in question_tasks(read)]
    galleries = [] if data_dir is None else [open_set(data_dir, name) for name in _galleries(read, data_dir)]
    sections = [
        *map(paragraph, notes),
        leaderboard_section(board),
        comparisons_section(read[0].name, compared),
        kinds_section(read),
        confusion_section(read),
        bias_section(read),
        browser_section(read, sets),
        worst_section(read, galleries),
        models_section(read),
        details_section(read),
    ]
    write_atomic(page.with_suffix(".csv"), to_csv(read, compared))
    write_atomic(page.with_suffix(".md"), to_markdown(board))
    write_atomic(page.with_suffix(".tex"), to_latex(board))
    write_atomic(page, _page(title, "\n".join(filter(None, sections))))


def _galleries(runs: Sequence[Run], data_dir: epath.PathLike) -> list[str]:
    """The retrieval tasks whose sets are in the folder."""
    there = set_names(data_dir)
    return [name for name, kind in kinds_of_tasks(runs).items() if kind == "retrieval" and name in there]


def _page(title: str, body: str) -> str:
    """The whole page. Its security policy lets no script run but its own, and nothing be loaded."""
    assets = files("negjax").joinpath("assets")
    script = assets.joinpath("report.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "title": escape(title),
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        "style": assets.joinpath("report.css").read_text(),
        "script": script,
        "body": body,
    }
    pieces = assets.joinpath("report.html").read_text().split("§")
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))
