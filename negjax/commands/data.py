"""`negjax data`: build, derive, list, preview and verify data sets."""

import argparse
from typing import Any

from negjax.commands import build, derive, suite
from negjax.commands.parsing import command, path, show

EPILOG = """\
example:
  negjax data list --data-dir data

`negjax data COMMAND --help` lists the flags of a command."""
VERIFY_EPILOG = """\
example:
  negjax data verify coco_mcq --data-dir data"""
PREVIEW_EPILOG = """\
example:
  negjax data preview mine_negfull --data-dir data --html mine.html
  negjax data preview mine_train --data-dir data --synth work      # with the detector's boxes

The page is one file: pictures, captions or options, what is claimed to be there and not to be there."""
LIST_EPILOG = """\
example:
  negjax data list --data-dir data"""


def add(commands: Any) -> None:
    """Adds `data` and its commands to the commands of the parser."""
    data = command(commands, "data", None, "build, derive, list, preview and verify data sets", EPILOG)
    data_commands = data.add_subparsers(metavar="COMMAND", title="commands")
    for module in (build, derive, suite):
        module.add(data_commands)
    parser = command(data_commands, "list", _list, "show the sets of a folder", LIST_EPILOG)
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    parser = command(data_commands, "preview", _preview, "show samples of a set as an HTML page", PREVIEW_EPILOG)
    parser.add_argument("name", metavar="NAME", help="the set")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    parser.add_argument("--html", type=path, metavar="FILE", help="the page; default: NAME.html in this folder")
    parser.add_argument("--count", type=int, default=24, metavar="N", help="rows, at equal distances; default: 24")
    synth = "--out of the `negjax synth` that made the set: shows the boxes of its detector"
    parser.add_argument("--synth", type=path, metavar="DIR", help=synth)
    parser = command(data_commands, "verify", _verify, "read a whole set and check that it is as built", VERIFY_EPILOG)
    parser.add_argument("name", metavar="NAME", help="the set")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")


def _verify(args: argparse.Namespace) -> int:
    from negjax.datasets.stored.store import open_set
    from negjax.datasets.stored.verify import verify_set
    from negjax.runtime.progress import track_progress
    from negjax.runtime.streams import announce

    data = open_set(args.data_dir, args.name)
    with track_progress(len(data), f"reading {args.name}") as done:
        verify_set(data, lambda: done(1))
    announce(f"{args.name}: all {len(data):,} rows are as they were built")
    return 0


def _preview(args: argparse.Namespace) -> int:
    from negjax.evaluation.preview import write_preview
    from negjax.runtime.streams import announce

    html = args.html or f"{args.name}.html"
    shown = write_preview(args.data_dir, args.name, html, count=args.count, synth=args.synth)
    announce(f"{args.name}: {shown:,} rows in {html}")
    return 0


def _list(args: argparse.Namespace) -> int:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from negjax.datasets.stored.store import list_sets
    from negjax.runtime.printable import printable

    table = Table(box=box.SIMPLE)
    for heading in ("set", "rows", "kind", "negated", "MB"):
        table.add_column(heading, justify="right" if heading in ("rows", "MB") else "left")
    for line in list_sets(args.data_dir):
        kind, negated = escape(printable(line.task_kind)), "yes" if line.negated else "no"
        table.add_row(line.name, f"{line.rows:,}", kind, negated, f"{line.bytes / 1e6:,.1f}")
    show(table)
    return 0
