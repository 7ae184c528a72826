"""`negjax data suite`: all sets of a config file of tasks."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path

EPILOG = """\
example:
  negjax data suite --config configs/eval_coco.py --files ~/negbench --media-root ~/coco --data-dir data
  negjax eval --config configs/eval_coco.py --model runs/negfull --data-dir data --out results/negfull

The docstrings of configs/eval_*.py say where to get the files and the images.
Run it again to resume: sets that exist stay as they are."""


def add(commands: Any) -> None:
    """Adds `suite` to the commands of `negjax data`."""
    parser = command(commands, "suite", _suite, "make all sets of a config file of tasks", EPILOG)
    parser.add_argument(
        "--config", type=path, required=True, metavar="FILE[:ARG]", help="configs/eval_*.py, or one of yours"
    )
    parser.add_argument(
        "--files", type=path, default=".", metavar="DIR", help="the CSV and JSON files, at any depth; default: here"
    )
    media_root = "folder of the images or clips; a path in a file is looked up by its longest suffix that exists here"
    parser.add_argument("--media-root", type=path, required=True, metavar="DIR", help=media_root)
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    parser.add_argument("--skip-missing", action="store_true", help="skip rows with missing or broken media")


def _suite(args: argparse.Namespace) -> int:
    from negjax.config import Suite
    from negjax.config_file import load_config
    from negjax.datasets.suite import build_suite
    from negjax.runtime.streams import announce

    suite = load_config(Suite, args.config)
    sets = build_suite(suite, args.files, args.media_root, args.data_dir, skip_missing=args.skip_missing)
    for name, remarks in sets:
        announce(f"{name}: {remarks[0]}")
        for remark in remarks[1:]:
            announce(f"  {remark}")
    return 0
