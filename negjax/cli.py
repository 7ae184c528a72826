"""The command `negjax`: reads the command line, runs one of `negjax.commands`, and tells errors in one line.

Everything heavy is imported by the command that needs it, so that `negjax --help` answers at once.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from negjax import __version__
from negjax.commands import compile, data, doctor, evaluate, quickstart, report, train
from negjax.commands import convert as weights
from negjax.commands.parsing import Parser
from negjax.errors import NegjaxError
from negjax.runtime.pages import start_with_large_pages

STORES = {  # library without which epath cannot open a path -> what to do
    "gcsfs": 'gs:// needs gcsfs, which is not installed: pip install "negjax[gcs]"',
    "s3fs": "negjax does not work on s3://: mount the bucket as a folder, or use gs://",
    "adlfs": "negjax does not work on az://: mount the container as a folder, or use gs://",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0 on success, 2 after an error of the user's, which is told in one line."""
    args = _arguments(argv)
    if args.run is None:
        args.parser.print_help()
        return 0
    if argv is None and args.heavy:
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
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None)  # fsspec says "Please install gcsfs" because of it
        if missing not in STORES:
            raise
        return _stop(STORES[missing], 2)
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


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    args, rest = _parser().parse_known_args(argv)
    overrides = [word for word in rest if word.startswith("--config.") and args.overridable]
    for word in overrides:
        if "=" not in word:
            args.parser.error(f"{word}: a setting is changed by {word}=VALUE")
    if unknown := [word for word in rest if word not in overrides]:
        args.parser.error(f"there is no argument {' '.join(unknown)}")
    args.overrides = overrides
    return args


def _parser() -> Parser:
    parser = Parser(
        prog="negjax",
        description="CLIP models that understand negation: data, training and evaluation in JAX.",
        epilog="example:\n  negjax quickstart --workdir runs/quickstart\n\n`negjax COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"negjax {__version__}")
    parser.set_defaults(run=None, parser=parser, heavy=False, overridable=False)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for each in (quickstart, data, train, evaluate, weights, report, compile, doctor):
        each.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
