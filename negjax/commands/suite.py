"""`negjax data suite`: all sets of a config file of tasks."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path

SUITE = """\
example:
  negjax data suite --config configs/eval_coco.py --files ~/negbench --media-root ~/coco --data-dir data
  negjax eval --config configs/eval_coco.py --model runs/negfull --data-dir data --out results/negfull

The docstrings of configs/eval_*.py say where the files and the images are obtained.
Run it again to go on: sets that are there stay as they are."""


def add(of_data: Any) -> None:
    """Adds `suite` to the commands of `negjax data`."""
    each = command(of_data, "suite", _suite, "make all sets of a config file of tasks", SUITE)
    each.add_argument(
        "--config", type=path, required=True, metavar="FILE[:ARG]", help="configs/eval_*.py, or one of yours"
    )
    each.add_argument(
        "--files", type=path, default=".", metavar="DIR", help="the CSV and JSON files, at any depth; default: here"
    )
    media_root = "images or clips: where the paths in the files, or the longest ends of them that exist, are found"
    each.add_argument("--media-root", type=path, required=True, metavar="DIR", help=media_root)
    each.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="where sets are kept")
    each.add_argument("--skip-missing", action="store_true", help="leave out rows with missing or broken media")


def _suite(args: argparse.Namespace) -> int:
    from negjax.config import Suite
    from negjax.config_file import load_config
    from negjax.datasets.suite import make_suite

    suite = load_config(Suite, args.config)
    sets = make_suite(suite, args.files, args.media_root, args.data_dir, skip_missing=args.skip_missing)
    for name, said in sets:
        print(f"{name}: {said[0]}")
        for note in said[1:]:
            print(f"  {note}")
    return 0
