"""The command `negjax`: parses the command line, runs one of `negjax.commands`, and prints errors in one line.

Everything heavy is imported by the command that needs it, so that `negjax --help` is fast.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from negjax.commands.parsing import Parser
from negjax.errors import NegjaxError
from negjax.runtime.compilation_cache import keep_compiled_programs
from negjax.runtime.huge_pages import restart_with_huge_pages
from negjax.runtime.interrupt import exit_on_interrupt
from negjax.runtime.printable import printable, printable_lines, replace_unencodable
from negjax.runtime.streams import discard_output, guard_streams

GRAIN_PIPELINE = "/grain/_src/python/"  # what logs under absl's name; beside it lie profilers that are not used here


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the command line without the program's name; that of the process by default.

    Returns:
        The exit status: the command's own (0 on success), 2 after an error that the user can fix, 75 where another
        process of the run was lost, 130 after an interrupt.
    """
    replace_unencodable()
    if argv is None:
        exit_on_interrupt()
        guard_streams()
    args = parse_arguments(argv)
    if args.run is None:
        args.parser.print_help()
        return 0
    if argv is None and args.heavy:
        keep_compiled_programs()
        restart_with_huge_pages()
    _set_up_logging()
    try:
        code = args.run(args)
        print(end="", flush=True)
        return code
    except NegjaxError as error:
        return _print_error(str(error), getattr(error, "exit_code", 2))
    except BrokenPipeError:  # the reader of the output is gone, as in `negjax data list | head -1`
        discard_output()
        return 0
    except OSError as error:
        discard_output()
        reason = error.strerror or str(error)
        return _print_error(f"{error.filename}: {reason}" if error.filename else reason, 2)
    except KeyboardInterrupt:
        return _print_error("interrupted", 130)


def _print_error(message: str, code: int) -> int:
    """Prints in one line why the command ends, and returns its exit status; a stop by a signal is not an error."""
    print(f"negjax: {'' if code > 128 else 'error: '}{printable(' '.join(message.split()))}", file=sys.stderr)
    return code


class _LineHandler(logging.Handler):
    """Prints negjax's log as plain lines.

    Of other libraries only errors, JAX's warning that it uses the CPU, and Grain's of slow or odd pipelines.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        is_shown = record.name.startswith("negjax") or record.name == "jax._src.xla_bridge"
        is_of_pipeline = GRAIN_PIPELINE in record.pathname and record.levelno >= logging.WARNING
        return record.levelno >= logging.ERROR or is_shown or is_of_pipeline

    def emit(self, record: logging.LogRecord) -> None:
        print(f"negjax: {printable_lines(self.format(record))}", file=sys.stderr)


def _set_up_logging() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _LineHandler) for handler in root.handlers):
        root.addHandler(_LineHandler())
    logging.getLogger("negjax").setLevel(logging.INFO)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's C++ logging


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line.

    Returns:
        The arguments of the command, with `overrides`: its words --config.KEY=VALUE, where the command takes them.
    """
    args, rest = _make_parser().parse_known_args(argv)
    overrides = [word for word in rest if word.startswith("--config.") and args.overridable]
    for word in overrides:
        if "=" not in word:
            args.parser.error(f"{word} has no value: write {word}=VALUE")
    if unknown := [word for word in rest if word not in overrides]:
        args.parser.error(f"unknown argument {' '.join(unknown)}")
    args.overrides = overrides
    return args


def _make_parser() -> Parser:
    # Imported only now: until then an interrupt would show a traceback.
    from negjax import __version__
    from negjax.commands import (
        bench,
        calibrate,
        compile,
        convert,
        data,
        doctor,
        evaluate,
        export,
        index,
        quickstart,
        report,
        search,
        serve,
        split,
        synth,
        train,
    )

    parser = Parser(
        prog="negjax",
        description="CLIP models that understand negation: data, training and evaluation in JAX.",
        epilog="example:\n  negjax quickstart --workdir runs/quickstart\n\n`negjax COMMAND --help` lists its flags.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"negjax {__version__}")
    parser.set_defaults(run=None, parser=parser, heavy=False, overridable=False)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    rooms = (quickstart, data, train, evaluate, calibrate, split, synth, index, search, serve)
    for module in (*rooms, convert, export, report, compile, bench, doctor):
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
