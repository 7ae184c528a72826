"""`negjax data`: build, derive and list data sets."""

import argparse
from typing import Any

from negjax.commands import build, derive, suite
from negjax.commands.parsing import command, path, show

EPILOG = """\
example:
  negjax data list --data-dir data

`negjax data COMMAND --help` lists the flags of a command."""
LIST_EPILOG = """\
example:
  negjax data list --data-dir data"""


def add(commands: Any) -> None:
    """Adds `data` and its commands to the commands of the parser."""
    data = command(commands, "data", None, "build, derive and list data sets", EPILOG)
    data_commands = data.add_subparsers(metavar="COMMAND", title="commands")
    for module in (build, derive, suite):
        module.add(data_commands)
    parser = command(data_commands, "list", _list, "show the sets of a folder", LIST_EPILOG)
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")


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
