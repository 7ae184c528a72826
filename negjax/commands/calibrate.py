"""`negjax calibrate`: the constants of negation methods for one model, from one labelled set."""

import argparse
from typing import Any

from negjax.commands.parsing import add_model_flags, command, path

CALIBRATE = """\
example:
  negjax calibrate --model runs/pretrained --set voc_mcq --data-dir data --out results/pretrained_constants.json
  negjax eval --model runs/pretrained --tasks coco_mcq --data-dir data --out results/methods \\
      --negation none --negation space,constants=results/pretrained_constants.json

The set has questions or captions of images, some of them negated. For each method the value with the best accuracy (or
image_retrieval_recall@5) on it is chosen, and the file has the whole curve. Constants given with the method stay as
they are: --negation deo,stay=0.2. They are this model's alone. Report figures on another set: on this one they are no
proof, and `negjax eval` says so."""


def add(commands: Any) -> None:
    """Adds `calibrate` to the commands of the parser."""
    summary = "fit the constants of negation methods to a model"
    parser = command(commands, "calibrate", _calibrate, summary, CALIBRATE)
    parser.add_argument("--model", type=path, required=True, help="a training workdir, a checkpoint or PyTorch weights")
    add_model_flags(parser)
    parser.add_argument("--set", required=True, metavar="NAME", help="the set to fit on")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    negation = "a method to fit; may be repeated; default: all but steering"
    parser.add_argument("--negation", action="append", metavar="METHOD[,CONSTANT=VALUE...]", help=negation)
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="the constants, as JSON")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")
    parser.add_argument("--cache-dir", type=path, metavar="DIR", help="keeps embeddings; default: none are kept")
    parser.set_defaults(heavy=True)


def _calibrate(args: argparse.Namespace) -> int:
    from negjax.datasets.stored.store import open_set
    from negjax.evaluation.calibrate import calibrate
    from negjax.evaluation.methods import choose_methods
    from negjax.negation.calibration import write_calibration
    from negjax.negation.table import METHODS
    from negjax.runtime.files import check_writable
    from negjax.runtime.paths import to_path
    from negjax.runtime.streams import announce
    from negjax.weights.read import read_model

    data = open_set(args.data_dir, args.set)
    check_writable(to_path(args.out).parent)
    model = read_model(args.model, args.step, arch=args.arch, activation=args.activation, ema=args.ema)
    methods = choose_methods(args.negation or [name for name, method in METHODS.items() if method.grid], model)
    fitted = calibrate(model, data, methods, batch_size=args.batch_size, cache_dir=args.cache_dir)
    write_calibration(fitted, args.out)
    lines = [f"none: {fitted.metric} {100 * fitted.plain:.1f} %"]
    for name, method in fitted.methods.items():
        constants = ", ".join(f"{constant} {value:.4g}" for constant, value in method.constants.items())
        lines.append(f"{name}: {fitted.metric} {100 * method.figure:.1f} % with {constants}")
    announce("\n".join([*lines, f"written: {to_path(args.out)}"]))
    return 0
