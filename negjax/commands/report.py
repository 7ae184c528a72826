"""`negjax report`: finished evaluations as one page."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path

REPORT_EPILOG = """\
example:
  negjax report results/pretrain results/negfull --out report.html --data-dir runs/quickstart/data

The page is one file that needs no network. It is written together with report.csv (every figure), and
report.md and report.tex (the leaderboard)."""


def add(commands: Any) -> None:
    """Adds `report` to the commands of the parser."""
    parser = command(
        commands, "report", _report, "a page that compares runs: tables, charts, every question", REPORT_EPILOG
    )
    parser.add_argument(
        "results",
        type=path,
        nargs="+",
        metavar="RESULTS_DIR",
        help="folders written by negjax eval; changes are against the first",
    )
    parser.add_argument("--out", type=path, required=True, metavar="FILE.html", help="the page, one file")
    parser.add_argument("--data-dir", type=path, metavar="DIR", help="where the sets are, for the browser of questions")
    parser.add_argument("--title", default="negjax: evaluation", help="default: %(default)s")


def _report(args: argparse.Namespace) -> int:
    from negjax.evaluation.report.report import write_report
    from negjax.runtime.streams import announce

    write_report(args.results, args.out, title=args.title, data_dir=args.data_dir)
    announce(f"written: {args.out}")
    return 0
