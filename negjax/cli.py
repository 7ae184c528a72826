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
from typing import Any

from negjax import __version__
from negjax.errors import NegjaxError
from negjax.runtime.pages import start_with_large_pages

Handler = Callable[[argparse.Namespace], int]

QUICKSTART = """\
example:
  negjax quickstart --workdir runs/quickstart

Draws the scenes, pre-trains a tiny CLIP, fine-tunes it with and without negation, evaluates, and writes
WORKDIR/report.html and WORKDIR/results.json. Run it again to go on where it stopped."""
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
example:
  negjax eval --model runs/negfull --tasks scenes_mcq,scenes_truth_table --data-dir runs/quickstart/data \\
      --out results/negfull"""
REPORT = """\
example:
  negjax report results/pretrain results/negfull --out report.html --data-dir runs/quickstart/data"""
DOCTOR = """\
example:
  negjax doctor"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0 on success, 2 after an error of the user's, which is told in one line."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    overrides = [word for word in rest if word.startswith("--config.")]
    if unknown := [word for word in rest if word not in overrides or args.run is not _train]:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.run is None:
        args.parser.print_help()
        return 0
    if args.run is _train:
        args.overrides = overrides
    if argv is None and args.run in (_quickstart, _train, _eval):
        start_with_large_pages()
    _quiet()
    try:
        return args.run(args)
    except NegjaxError as error:
        return _fail(str(error), getattr(error, "exit_code", 2))
    except BrokenPipeError:  # the reader of our output has gone, as in `negjax data list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _fail(message: str, code: int) -> int:
    print(f"negjax: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _quiet() -> None:
    """Warnings of negjax are shown as plain lines; libraries speak only of errors."""
    logging.basicConfig(level=logging.ERROR, format="negjax: %(message)s", stream=sys.stderr)
    logging.getLogger("negjax").setLevel(logging.INFO)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's C++ logging


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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

    data = commands.add_parser("data", help="build and list data sets", description="Build and list data sets.")
    data.set_defaults(run=None, parser=data)
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
    command.add_argument("--model", required=True, help="a training workdir or a checkpoint")
    command.add_argument("--step", default="latest", help="latest, best or a number; default: latest")
    command.add_argument("--tasks", required=True, metavar="NAME[,NAME]", help="sets to evaluate")
    command.add_argument("--data-dir", required=True, metavar="DIR", help="where sets are kept")
    command.add_argument("--out", required=True, metavar="DIR", help="gets results.json and predictions/")
    command.add_argument("--batch-size", type=int, default=256, metavar="N", help="default: 256")

    command = _command(commands, "report", _report, "a page with tables, charts and pictures", REPORT)
    command.add_argument("results", nargs="+", metavar="RESULTS_DIR", help="folders written by negjax eval, in order")
    command.add_argument("--out", required=True, metavar="FILE.html", help="the page, one file")
    command.add_argument("--data-dir", metavar="DIR", help="where the sets are, to show their pictures")
    command.add_argument("--title", default="negjax: evaluation", help="default: %(default)s")

    command = _command(commands, "doctor", _doctor, "what is installed, what is missing, and what mends it", DOCTOR)
    command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _command(commands: Any, name: str, run: Handler, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _quickstart(args: argparse.Namespace) -> int:
    from negjax import quickstart

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
    from rich.console import Console
    from rich.table import Table

    from negjax.datasets.store import list_sets

    table = Table(box=box.SIMPLE)
    for heading in ("set", "rows", "kind", "negated", "MB"):
        table.add_column(heading, justify="right" if heading in ("rows", "MB") else "left")
    for each in list_sets(args.data_dir):
        negated = "yes" if each.negated else "no"
        table.add_row(each.name, f"{each.n:,}", each.task_kind, negated, f"{each.bytes / 1e6:,.1f}")
    Console().print(table)
    return 0


def _train(args: argparse.Namespace) -> int:
    from negjax.config import load_config
    from negjax.experiment import describe, run_experiment

    experiment = load_config(args.config, args.overrides)
    if args.dry_run:
        print(json.dumps(describe(experiment), indent=2))
        return 0
    run_experiment(experiment, args.workdir)
    print(f"trained {experiment.steps:,} steps: {args.workdir}")
    return 0


def _eval(args: argparse.Namespace) -> int:
    from rich.console import Console

    from negjax.datasets.store import open_set
    from negjax.evaluation.evaluate import evaluate
    from negjax.evaluation.results import write_results
    from negjax.evaluation.table import table
    from negjax.weights.read import read_model

    sets = [open_set(args.data_dir, name) for name in args.tasks.split(",")]
    step = args.step if args.step in ("latest", "best") else _number(args.step, "--step")
    result = evaluate(read_model(args.model, step), sets, batch_size=args.batch_size)
    write_results(result, args.out)
    Console().print(table(result.results))
    print(f"written: {Path(args.out) / 'results.json'}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from negjax.evaluation.report import write_report

    write_report(args.results, args.out, title=args.title, data_dir=args.data_dir)
    print(f"written: {args.out}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from rich.console import Console

    from negjax.doctor import examine, problems, to_dict, to_table

    findings = examine()
    if args.json:
        print(json.dumps(to_dict(findings), indent=2))
    else:
        Console().print(to_table(findings))
    return 1 if problems(findings) else 0


def _number(text: str, flag: str) -> int:
    if not text.isdigit():
        raise NegjaxError(f"{flag} {text}: it must be latest, best or a number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
