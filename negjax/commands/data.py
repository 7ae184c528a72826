"""`negjax data`: build and list data sets."""

import argparse
from typing import Any

from negjax.commands.parsing import command, show

DATA = """\
example:
  negjax data list --data-dir data

`negjax data COMMAND --help` tells more."""
BUILD = """\
example:
  negjax data build --kind questions --csv COCO_val_mcq_llama3.1_rephrased.csv \\
      --media-root ~/coco --name coco_mcq --data-dir data"""
LIST = """\
example:
  negjax data list --data-dir data"""


def add(commands: Any) -> None:
    """Adds what this file holds to the commands of the parser."""
    data = command(commands, "data", None, "build and list data sets", DATA)
    of_data = data.add_subparsers(metavar="COMMAND", title="commands")
    each = command(of_data, "build", _data_build, "make a set of a CSV file and a folder of images", BUILD)
    each.add_argument("--kind", required=True, choices=("captions", "negcap", "questions"), help="what the file holds")
    each.add_argument("--csv", required=True, metavar="FILE", help="in NegBench's format")
    each.add_argument("--media-root", required=True, metavar="DIR", help="the images, at any depth")
    each.add_argument("--name", required=True, help="name of the set")
    each.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")
    negated = "whether the texts negate; default: by the file's name"
    each.add_argument("--negated", choices=("yes", "no"), help=negated)
    each.add_argument("--skip-missing", action="store_true", help="leave out rows with missing or broken images")
    each.add_argument("--overwrite", action="store_true", help="replace a set of this name")
    each = command(of_data, "list", _data_list, "show the sets of a folder", LIST)
    each.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")


def _data_build(args: argparse.Namespace) -> int:
    from negjax.datasets.build import build_from_csv

    built = build_from_csv(
        args.kind,
        args.csv,
        args.media_root,
        args.name,
        args.data_dir,
        skip_missing=args.skip_missing,
        overwrite=args.overwrite,
        negated=None if args.negated is None else args.negated == "yes",
    )
    print(f"{args.name}: {built.written:,} rows in {built.folder}")
    for note in built.notes:
        print(f"  {note}")
    return 0


def _data_list(args: argparse.Namespace) -> int:
    from rich import box
    from rich.table import Table

    from negjax.datasets.store import list_sets

    table = Table(box=box.SIMPLE)
    for heading in ("set", "rows", "kind", "negated", "MB"):
        table.add_column(heading, justify="right" if heading in ("rows", "MB") else "left")
    for each in list_sets(args.data_dir):
        negated = "yes" if each.negated else "no"
        table.add_row(each.name, f"{each.n:,}", each.task_kind, negated, f"{each.bytes / 1e6:,.1f}")
    show(table)
    return 0
