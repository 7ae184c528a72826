"""What the commands share: the parser, flags that several have, and tables on stdout."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

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


def add_model_flags(command: Parser) -> None:
    command.add_argument("--arch", default="", metavar="NAME", help="what the weights are, where they do not say it")
    command.add_argument("--activation", default="", metavar="A", help="override it: gelu, quick_gelu or gelu_tanh")
    command.add_argument("--step", default="latest", help="of a workdir: latest, best or a number; default: latest")


def show(table: Any) -> None:
    """A rich table on stdout; printed by us, for rich ends the program when nobody reads it."""
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")
