"""`negjax split`: shows how captions are read, what they affirm and what they deny."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import command, path, show
from negjax.errors import NegjaxError
from negjax.runtime.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

    from negjax.language.parsed import Parsed

SPLIT_EXAMPLE = """\
examples:
  negjax split "a beach without people"
  negjax split --file captions.txt --json > splits.jsonl
  cut -f2 captions.tsv | negjax split --file -"""


def add(commands: Any) -> None:
    """Adds `split` to the commands of the parser."""
    summary = "what a caption affirms and what it denies, as the negation methods read it"
    parser = command(commands, "split", _split, summary, SPLIT_EXAMPLE)
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a caption or query in English")
    parser.add_argument("--file", type=path, metavar="FILE", help="a text file with one caption a line; - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object a caption")


def _split(args: argparse.Namespace) -> int:
    from negjax.language.splitter import split

    if (args.text is None) == (args.file is None):
        raise NegjaxError('give either TEXT or --file FILE (in quotes: negjax split "a beach without people")')
    splits = map(split, [args.text] if args.file is None else _lines(args.file))
    if args.json:
        for parsed in splits:
            print(json.dumps(dataclasses.asdict(parsed), ensure_ascii=False))
    else:
        show(_to_table(splits))
    return 0


def _lines(file: str) -> Iterator[str]:
    """The captions of a file or of stdin."""
    from negjax.runtime.paths import to_path

    with sys.stdin.buffer if file == "-" else to_path(file).open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield line.decode("utf-8-sig").rstrip("\r\n")
            except UnicodeDecodeError as error:
                name = "stdin" if file == "-" else file
                raise NegjaxError(f"{name}: line {number} is not UTF-8: convert the file to UTF-8") from error


def _to_table(splits: Iterator["Parsed"]) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for heading in ("caption", "affirmed", "denied", "operator", "remark"):
        table.add_column(heading, overflow="fold")
    for parsed in splits:
        cells = (parsed.caption, parsed.affirmed, "; ".join(parsed.negated), parsed.operator, parsed.remark)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    return table
