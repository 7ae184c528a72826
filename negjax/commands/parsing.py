"""Helpers that several commands share: the parser, common flags, and tables on stdout."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from negjax.errors import NegjaxError
from negjax.runtime.printable import printable

CommandHandler = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Prints an error in one line, without argparse's usage above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"negjax: error: {printable(message)} (see {self.prog} --help)\n")


def command(commands: Any, name: str, run: CommandHandler | None, summary: str, example: str) -> Parser:
    """Adds a command to the parser.

    Args:
        commands: the result of `add_subparsers`.
        name: name of the command.
        run: gets the parsed arguments and returns the exit status; None for a command that has commands of its own.
        summary: one line for the list of commands.
        example: shown at the end of `--help`.

    Returns:
        The parser of the command, to add its flags to.
    """
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def path(text: str) -> str:
    """Returns the path that a flag gives, with ~ as the home folder: no shell expands it after --flag= or in quotes.

    Raises:
        argparse.ArgumentTypeError: the path has a scheme that is not supported, such as s3://.
    """
    from negjax.runtime.paths import check_path, expand_home

    try:
        check_path(text)
    except NegjaxError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return expand_home(text)


def add_model_flags(parser: Parser) -> None:
    """Adds the flags that say which model to load."""
    parser.add_argument("--arch", default="", metavar="NAME", help="architecture of weights that do not say it")
    parser.add_argument("--activation", default="", metavar="A", help="override it: gelu, quick_gelu, gelu_tanh, silu")
    parser.add_argument("--step", default="latest", help="of a workdir: latest, best or a number; default: latest")
    ema = "of a workdir: the running average of its weights (config.optim.ema)"
    parser.add_argument("--ema", action="store_true", help=ema)


def add_process_flags(parser: Parser) -> None:
    """Adds the flags for runs of several processes, which are started with the same command except for the index."""
    coordinator = "of process 0; TPU pods, SLURM, Open MPI and Kubernetes provide it"
    parser.add_argument("--coordinator", metavar="HOST:PORT", help=coordinator)
    processes = "number of processes; 1 runs a single process on any cluster"
    parser.add_argument("--num-processes", type=int, metavar="N", help=processes)
    parser.add_argument("--process-id", type=int, metavar="I", help="index of this process, from 0")
    timeout = "how long to wait for all processes; default: 300"
    parser.add_argument("--join-timeout", type=int, default=300, metavar="SECONDS", help=timeout)


def join_processes(args: argparse.Namespace, *, preemption: bool = False) -> None:
    """Joins the other processes, if the flags or a cluster name any. To be called before anything else uses JAX.

    Args:
        args: with the flags of `add_process_flags`.
        preemption: as for `negjax.runtime.cluster.join_cluster`.

    Raises:
        NegjaxError: the flags are incomplete, or not all processes joined in time.
    """
    flags = {"--coordinator": args.coordinator, "--num-processes": args.num_processes, "--process-id": args.process_id}
    missing = [name for name, value in flags.items() if value is None]
    if args.num_processes == 1:
        return
    if missing and len(missing) < len(flags):
        raise NegjaxError(f"{' and '.join(missing)} not given: several processes need all of {', '.join(flags)}")
    if args.join_timeout < 1:
        raise NegjaxError(f"--join-timeout {args.join_timeout}: it must be at least 1 second")
    from negjax.runtime.cluster import ProcessInfo, detect_cluster, join_cluster

    process = detect_cluster() if missing else ProcessInfo(args.coordinator, args.num_processes, args.process_id)
    if process is not None:
        join_cluster(
            process.coordinator,
            process.num_processes,
            process.process_id,
            local_device_ids=process.local_device_ids,
            timeout=args.join_timeout,
            preemption=preemption,
        )


def render(table: Any) -> str:
    """Returns a rich table as text, as wide as the terminal."""
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def show(table: Any) -> None:
    """Prints a rich table. rich alone would end the program when its output is closed."""
    print(render(table), end="")
