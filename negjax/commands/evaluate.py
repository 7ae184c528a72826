"""`negjax eval`."""

import argparse
from pathlib import Path
from typing import Any

from negjax.commands.parsing import add_model_flags, command, show
from negjax.errors import NegjaxError

EVAL = """\
examples:
  negjax eval --model runs/negfull --tasks scenes_mcq,scenes_truth_table --data-dir runs/quickstart/data \\
      --out results/negfull
  negjax eval --model negclip.pth --arch ViT-B-32-quickgelu --tasks coco_mcq --data-dir data --out results/negclip"""


def add(commands: Any) -> None:
    """Adds what this file holds to the commands of the parser."""
    each = command(commands, "eval", _eval, "score a model on tasks", EVAL)
    each.add_argument("--model", required=True, help="a training workdir, a checkpoint or PyTorch weights")
    add_model_flags(each)
    each.add_argument("--tasks", required=True, metavar="NAME[,NAME]", help="sets to evaluate")
    each.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")
    each.add_argument("--out", required=True, metavar="DIR", help="gets results.json and predictions/")
    each.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")
    each.set_defaults(heavy=True)


def _eval(args: argparse.Namespace) -> int:
    from negjax.datasets.store import open_set
    from negjax.evaluation.evaluate import evaluate
    from negjax.evaluation.results import write_results
    from negjax.evaluation.table import table
    from negjax.runtime.files import check_writable
    from negjax.weights.read import read_model

    names = [name.strip() for name in args.tasks.split(",") if name.strip()]
    if not names:
        raise NegjaxError("--tasks is empty: name at least one set")
    sets = [open_set(args.data_dir, name) for name in names]
    model = read_model(args.model, args.step, arch=args.arch, activation=args.activation)
    check_writable(args.out)
    result = evaluate(model, sets, batch_size=args.batch_size)
    write_results(result, args.out)
    show(table(result.results))
    print(f"written: {Path(args.out) / 'results.json'}")
    return 0
