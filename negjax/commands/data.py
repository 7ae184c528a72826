"""`negjax data`: build, derive, list and verify data sets."""

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
LIST_EPILOG = """\
example:
  negjax data list --data-dir data"""


def add(commands: Any) -> None:
    """Adds `data` and its commands to the commands of the parser."""
    data = command(commands, "data", None, "build, derive, list and verify data sets", EPILOG)
    data_commands = data.add_subparsers(metavar="COMMAND", title="commands")
    for module in (build, derive, suite):
        module.add(data_commands)
    parser = command(data_commands, "list", _list, "show the sets of a folder", LIST_EPILOG)
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
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
