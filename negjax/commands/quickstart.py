"""`negjax quickstart`: data, training, evaluation and report on drawn scenes."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path
from negjax.errors import NegjaxError

QUICKSTART = """\
example:
  negjax quickstart --workdir runs/quickstart

Draws the scenes, pre-trains a tiny CLIP, fine-tunes it with and without negation, evaluates, and writes
WORKDIR/report.html and WORKDIR/results.json. Run it again to resume where it stopped."""


def add(commands: Any) -> None:
    """Adds `quickstart` to the commands of the parser."""
    parser = command(commands, "quickstart", _quickstart, "the whole story, on drawn scenes", QUICKSTART)
    parser.add_argument("--workdir", type=path, default="runs/quickstart", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="decides drawings, weights and order; default: 0")
    parser.add_argument("--short", action="store_true", help="a trial run of a minute; its figures mean nothing")
    parser.set_defaults(heavy=True)


def _quickstart(args: argparse.Namespace) -> int:
    from negjax import quickstart

    if args.seed < 0:
        raise NegjaxError(f"--seed {args.seed}: it must not be negative")
    quickstart.run(args.workdir, args.seed, args.short)
    return 0
