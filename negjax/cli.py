"""The command `negjax`: reads the command line, then calls the room that does the work.

Everything heavy is imported by the command that needs it, so that `negjax --help` answers at once.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from negjax import __version__
from negjax.errors import NegjaxError
from negjax.runtime.pages import start_with_large_pages

Handler = Callable[[argparse.Namespace], int]

QUICKSTART = """\
example:
  negjax quickstart --workdir runs/quickstart

Draws the scenes, pre-trains a tiny CLIP, fine-tunes it with and without negation, evaluates, and writes
WORKDIR/report.html and WORKDIR/results.json. Run it again to go on where it stopped."""
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
TRAIN = """\
examples:
  negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain --config.data_dir=runs/quickstart/data
  negjax train --config configs/scenes_negfull.py --workdir runs/negfull --config.optim.learning_rate=1e-3 --dry-run

--config.KEY=VALUE changes any setting of the config; negjax/config.py tells what they mean.
Run the same command again to go on after a stop: SIGTERM saves and exits with status 143."""
EVAL = """\
examples:
  negjax eval --model runs/negfull --tasks scenes_mcq,scenes_truth_table --data-dir runs/quickstart/data \\
      --out results/negfull
  negjax eval --model negclip.pth --arch ViT-B-32-quickgelu --tasks coco_mcq --data-dir data --out results/negclip"""
CONVERT = """\
examples:
  negjax convert ViT-B-32.pt weights/b32                                (OpenAI's archive: says itself what it is)
  negjax convert negclip.pth weights/negclip --arch ViT-B-32-quickgelu  (a bare state dict does not)
  negjax convert clip-vit-base-patch32/ weights/b32                     (a Hugging Face folder)
  negjax convert runs/negfull negfull.safetensors --to open_clip
  negjax convert runs/negfull negfull-hf --to hf

SRC: OpenAI's, open_clip's or Hugging Face's CLIP or SigLIP (.pt .pth .bin .safetensors, sharded too, or a folder), a
workdir or checkpoint of negjax, or a name to download: hf-hub:ORG/NAME, open_clip:ARCH/TAG.
--activation computes with another activation than the weights were made with; results then say so."""
REPORT = """\
example:
  negjax report results/pretrain results/negfull --out report.html --data-dir runs/quickstart/data"""
DOCTOR = """\
example:
  negjax doctor"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0 on success, 2 after an error of the user's, which is told in one line."""
    args = _arguments(argv)
    if args.run is None:
        args.parser.print_help()
        return 0
    if argv is None and args.run in (_quickstart, _train, _eval):
        start_with_large_pages()
    _quiet()
    try:
        code = args.run(args)
        print(end="", flush=True)
        return code
    except NegjaxError as error:
        return _stop(str(error), getattr(error, "exit_code", 2))
    except BrokenPipeError:  # the reader of our output has gone, as in `negjax data list | head -1`
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        reason = error.strerror or str(error)
        return _stop(f"{error.filename}: {reason}" if error.filename else reason, 2)
    except KeyboardInterrupt:
        return _stop("interrupted", 130)


def _stop(message: str, code: int) -> int:
    """Says in one line why the command ends; being asked to stop (128 + signal) is no error."""
    print(f"negjax: {'error: ' if code == 2 else ''}{' '.join(message.split())}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Throws away what stdout does not take any more, or Python would complain of it at the end."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Lines(logging.Handler):
    """What negjax logs, as plain lines; of others only errors, and JAX telling that it falls back to the CPU."""

    def filter(self, record: logging.LogRecord) -> bool:
        spoken = record.name.startswith("negjax") or record.name == "jax._src.xla_bridge"
        return record.levelno >= logging.ERROR or spoken

    def emit(self, record: logging.LogRecord) -> None:
        print(f"negjax: {self.format(record)}", file=sys.stderr)


def _quiet() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _Lines) for handler in root.handlers):
        root.addHandler(_Lines())
    logging.getLogger("negjax").setLevel(logging.INFO)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's C++ logging


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """In one line, without argparse's usage above it."""
        self.exit(2, f"negjax: error: {message} (see {self.prog} --help)\n")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    args, rest = _parser().parse_known_args(argv)
    overrides = [word for word in rest if word.startswith("--config.") and args.run is _train]
    for word in overrides:
        if "=" not in word:
            args.parser.error(f"{word}: a setting is changed by {word}=VALUE")
    if unknown := [word for word in rest if word not in overrides]:
        args.parser.error(f"there is no argument {' '.join(unknown)}")
    args.overrides = overrides
    return args


def _parser() -> _Parser:
    parser = _Parser(
        prog="negjax",
        description="CLIP models that understand negation: data, training and evaluation in JAX.",
        epilog="example:\n  negjax quickstart --workdir runs/quickstart\n\n`negjax COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"negjax {__version__}")
    parser.set_defaults(run=None, parser=parser)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")

    command = _command(commands, "quickstart", _quickstart, "the whole story, on drawn scenes", QUICKSTART)
    command.add_argument("--workdir", type=Path, default=Path("runs/quickstart"), help="default: %(default)s")
    command.add_argument("--seed", type=int, default=0, help="decides drawings, weights and order; default: 0")
    command.add_argument("--short", action="store_true", help="a trial run of a minute; its figures mean nothing")

    data = _command(commands, "data", None, "build and list data sets", DATA)
    of_data = data.add_subparsers(metavar="COMMAND", title="commands")
    command = _command(of_data, "build", _data_build, "make a set of a CSV file and a folder of images", BUILD)
    command.add_argument(
        "--kind", required=True, choices=("captions", "negcap", "questions"), help="what the file holds"
    )
    command.add_argument("--csv", required=True, metavar="FILE", help="in NegBench's format")
    command.add_argument("--media-root", required=True, metavar="DIR", help="the images, at any depth")
    command.add_argument("--name", required=True, help="name of the set")
    command.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")
    negated = "whether the texts negate; default: by the file's name"
    command.add_argument("--negated", choices=("yes", "no"), help=negated)
    command.add_argument("--skip-missing", action="store_true", help="leave out rows with missing or broken images")
    command.add_argument("--overwrite", action="store_true", help="replace a set of this name")
    command = _command(of_data, "list", _data_list, "show the sets of a folder", LIST)
    command.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")

    command = _command(commands, "train", _train, "train a model as a config file says", TRAIN)
    command.add_argument("--config", required=True, metavar="FILE[:ARG]", help="a file with get_config()")
    command.add_argument("--workdir", required=True, type=Path, metavar="DIR", help="of this run alone")
    command.add_argument("--dry-run", action="store_true", help="check everything, show what would run, write nothing")

    command = _command(commands, "eval", _eval, "score a model on tasks", EVAL)
    command.add_argument("--model", required=True, help="a training workdir, a checkpoint or PyTorch weights")
    _add_model_flags(command)
    command.add_argument("--tasks", required=True, metavar="NAME[,NAME]", help="sets to evaluate")
    command.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")
    command.add_argument("--out", required=True, metavar="DIR", help="gets results.json and predictions/")
    command.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")

    command = _command(commands, "convert", _convert, "weights from PyTorch and back", CONVERT)
    command.add_argument("src", metavar="SRC", help="the weights to read")
    command.add_argument("dst", metavar="DST", help="a new folder, or with --to open_clip a .safetensors or .pt file")
    command.add_argument("--to", default="negjax", choices=("negjax", "open_clip", "hf"), help="default: negjax")
    _add_model_flags(command)

    command = _command(commands, "report", _report, "a page with tables, charts and pictures", REPORT)
    command.add_argument("results", nargs="+", metavar="RESULTS_DIR", help="folders written by negjax eval, in order")
    command.add_argument("--out", required=True, metavar="FILE.html", help="the page, one file")
    command.add_argument("--data-dir", metavar="DIR", help="where the sets are, to show their pictures")
    command.add_argument("--title", default="negjax: evaluation", help="default: %(default)s")

    command = _command(commands, "doctor", _doctor, "what is installed, what is missing, and what mends it", DOCTOR)
    command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _command(commands: Any, name: str, run: Handler | None, summary: str, example: str) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_model_flags(command: _Parser) -> None:
    command.add_argument("--arch", default="", metavar="NAME", help="what the weights are, where they do not say it")
    command.add_argument("--activation", default="", metavar="A", help="override it: gelu, quick_gelu or gelu_tanh")
    command.add_argument("--step", default="latest", help="of a workdir: latest, best or a number; default: latest")


def _quickstart(args: argparse.Namespace) -> int:
    from negjax import quickstart

    if args.seed < 0:
        raise NegjaxError(f"--seed {args.seed}: it must not be negative")
    quickstart.run(args.workdir, args.seed, args.short)
    return 0


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
    _show(table)
    return 0


def _train(args: argparse.Namespace) -> int:
    from negjax.config import load_config
    from negjax.experiment import describe, run_experiment

    experiment = load_config(args.config, args.overrides)
    if args.dry_run:
        print(json.dumps(describe(experiment, args.workdir), indent=2))
        return 0
    run_experiment(experiment, args.workdir)
    print(f"trained {experiment.steps:,} steps: {args.workdir}")
    return 0


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
    _show(table(result.results))
    print(f"written: {Path(args.out) / 'results.json'}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    from negjax.weights.convert import convert

    result = convert(args.src, args.dst, args.to, step=args.step, arch=args.arch, activation=args.activation)
    info = result.model.info
    made = f" (made with {info['activation_of_weights']})" if "activation_of_weights" in info else ""
    print(f"{info['arch']}, activation {info['activation']}{made}, {result.parameters / 1e6:,.2f} million parameters")
    print(f"written: {args.dst}\nto load: {result.call}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from negjax.evaluation.report import write_report

    write_report(args.results, args.out, title=args.title, data_dir=args.data_dir)
    print(f"written: {args.out}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from negjax.doctor import examine, problems, to_dict, to_table

    findings = examine()
    if args.json:
        print(json.dumps(to_dict(findings), indent=2))
    else:
        _show(to_table(findings))
    return 1 if problems(findings) else 0


def _show(table: Any) -> None:
    """A rich table on stdout; printed by us, for rich ends the program when nobody reads it."""
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")


if __name__ == "__main__":
    sys.exit(main())
