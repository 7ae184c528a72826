"""What the commands share: the parser, flags that several have, and tables on stdout."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from negjax.errors import NegjaxError

Handler = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """In one line, without argparse's usage above it."""
        self.exit(2, f"negjax: error: {message} (see {self.prog} --help)\n")


def command(commands: Any, name: str, run: Handler | None, summary: str, example: str) -> Parser:
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


def path(given: str) -> str:
    """A flag's path, in which ~ is the home folder: no shell says so after --flag= or in quotes."""
    return str(Path(given).expanduser()) if given == "~" or given.startswith("~/") else given


def add_model_flags(command: Parser) -> None:
    command.add_argument("--arch", default="", metavar="NAME", help="what the weights are, where they do not say it")
    command.add_argument("--activation", default="", metavar="A", help="override it: gelu, quick_gelu or gelu_tanh")
    command.add_argument("--step", default="latest", help="of a workdir: latest, best or a number; default: latest")
    ema = "of a workdir: the running average of its weights (config.optim.ema)"
    command.add_argument("--ema", action="store_true", help=ema)


def add_process_flags(command: Parser) -> None:
    """For work of several processes, each started with the same command but for its number."""
    command.add_argument("--coordinator", metavar="HOST:PORT", help="of process 0; TPU, SLURM, ... say it themselves")
    command.add_argument("--num-processes", type=int, metavar="N", help="how many there are; 1: alone on any cluster")
    command.add_argument("--process-id", type=int, metavar="I", help="which of them this is, from 0")
    wait = "how long to wait for all of them; default: 300"
    command.add_argument("--join-timeout", type=int, default=300, metavar="SECONDS", help=wait)


def join_processes(args: argparse.Namespace, *, preemption: bool = False) -> None:
    """Joins the other processes, if the flags or a cluster say that there are some; before anything else uses JAX.

    preemption: as for `negjax.runtime.distributed.join`.
    """
    given = {"--coordinator": args.coordinator, "--num-processes": args.num_processes, "--process-id": args.process_id}
    lacking = [name for name, value in given.items() if value is None]
    if args.num_processes == 1:
        return
    if lacking and len(lacking) < len(given):
        raise NegjaxError(f"{' and '.join(lacking)} not given: several processes need all of {', '.join(given)}")
    if args.join_timeout < 1:
        raise NegjaxError(f"--join-timeout {args.join_timeout}: it must be at least a second")
    from negjax.runtime.distributed import ProcessPlace, detect, join_cluster

    place = detect() if lacking else ProcessPlace(args.coordinator, args.num_processes, args.process_id)
    if place is not None:
        where = place.coordinator, place.processes, place.process
        join_cluster(*where, devices=place.devices, seconds=args.join_timeout, preemption=preemption)


def show(table: Any) -> None:
    """A rich table on stdout; printed by us, for rich ends the program when nobody reads it."""
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")
