"""The report: evaluations as one page for people, and their figures for other programs.

`write_report` reads the folders of `negjax eval`, compares the runs, collects the data of each section (`sections/`)
and renders the page (`page.py`). The page is one file that needs no network.
"""

import logging
from collections.abc import Sequence

from etils import epath

from negjax.datasets.stored.store import open_set, set_names
from negjax.errors import NegjaxError
from negjax.evaluation.report.asked_sets import set_notes
from negjax.evaluation.report.comparisons import compare_runs
from negjax.evaluation.report.exports import to_csv, to_latex, to_markdown
from negjax.evaluation.report.leaderboard import build_leaderboard
from negjax.evaluation.report.page import render_page
from negjax.evaluation.report.published import other_file_notes
from negjax.evaluation.report.runs import figure_notes, kinds_of_tasks, question_tasks, read_runs, task_remarks
from negjax.evaluation.report.sections.accuracy_by_kind import accuracy_charts
from negjax.evaluation.report.sections.bias import bias_charts
from negjax.evaluation.report.sections.confusion import confusion_tables
from negjax.evaluation.report.sections.negation import negation_tables
from negjax.evaluation.report.sections.question_browser import question_browser
from negjax.evaluation.report.sections.task_details import collect_details, summarize_model
from negjax.evaluation.report.sections.worst_captions import worst_captions
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path

logger = logging.getLogger(__name__)


def write_report(
    folders: Sequence[epath.PathLike],
    out: epath.PathLike,
    *,
    title: str,
    data_dir: epath.PathLike | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes the report of some evaluations, in this order; changes are against the first.

    Beside the page go files of its name with .csv (every figure), .md and .tex (the leaderboard).

    Args:
        folders: Folders that `negjax eval` wrote.
        out: The page; its name ends in .html.
        title: The title of the page.
        data_dir: Where the sets are, for the browser of questions and the captions found worst; None leaves them out.
        notes: Paragraphs below the title.

    Raises:
        NegjaxError: `out` has another ending, a folder holds no complete evaluation, or the predictions are for other
            data than the sets in `data_dir`.
    """
    page_path = to_path(out)
    if page_path.suffix != ".html":
        raise NegjaxError(f"the report would be written to {out}: give a name that ends in .html")
    runs = read_runs(folders)
    notes_on_sets = [*set_notes(runs), *other_file_notes(runs)]
    for note in notes_on_sets:
        logger.warning("%s", note)
    comparisons = compare_runs(runs)
    leaderboard = build_leaderboard(runs, comparisons)
    question_sets, retrieval_sets = [], []
    if data_dir is not None:
        question_sets = [open_set(data_dir, name) for name in question_tasks(runs)]
        stored = set_names(data_dir)
        retrieval = [name for name, kind in kinds_of_tasks(runs).items() if kind == "retrieval" and name in stored]
        retrieval_sets = [open_set(data_dir, name) for name in retrieval]
    sections = {
        "leaderboard": leaderboard,
        "warnings": [*notes_on_sets, *task_remarks(runs)],
        "figure_notes": figure_notes(runs),
        "first_run": runs[0].name,
        "comparisons": comparisons,
        "accuracy_charts": accuracy_charts(runs),
        "confusion_tables": confusion_tables(runs),
        "negation_tables": negation_tables(runs),
        "bias_charts": bias_charts(runs),
        "has_data_dir": data_dir is not None,
        "questions": question_browser(runs, question_sets),
        "worst_captions": [worst_captions(runs, dataset) for dataset in retrieval_sets],
        "models": [summarize_model(run) for run in runs],
        "task_details": collect_details(runs),
        "run_records": [(run.name, [*run.results["model"].items(), *run.results["software"].items()]) for run in runs],
    }
    page = render_page(title, notes, sections)
    write_atomic(page_path.with_suffix(".csv"), to_csv(runs, comparisons))
    write_atomic(page_path.with_suffix(".md"), to_markdown(leaderboard, notes_on_sets))
    write_atomic(page_path.with_suffix(".tex"), to_latex(leaderboard, notes_on_sets))
    write_atomic(page_path, page)
