"""`negjax search`: the images of an index that a query describes, also a negated one."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import Parser, add_model_flags, command, path, show
from negjax.errors import NegjaxError
from negjax.runtime.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

    from negjax.search.results import SearchResults
    from negjax.search.searcher import Searcher

SEARCH = """\
examples:
  negjax search photos.index "a beach without people"
  negjax search photos.index "a street, no cars" -k 50 --negation lcse --html streets.html
  negjax search photos.index --like dog.jpg --not poodle.jpg --json

The search is exact. --negation is a method of `negjax eval --negation`, with constants where they are given;
none is the cosine with the query as it stands: use it with a model that was trained to understand negation.
--strength 0 searches for what is asked alone, 1 as the method does, 2 excludes twice as strongly."""


def add(commands: Any) -> None:
    """Adds `search` to the commands of the parser."""
    parser = command(commands, "search", _search, "search an index by words or pictures, with negation", SEARCH)
    parser.add_argument("index", type=path, metavar="INDEX", help="a folder of `negjax index`")
    parser.add_argument("query", nargs="?", default="", metavar="QUERY", help="in English, in quotes")
    parser.add_argument("-k", type=int, default=20, metavar="N", help="number of results; default: 20")
    add_search_flags(parser)
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="of exclusion, 0 to 3; default: 1")
    like = "a picture that results should be like; may be repeated"
    parser.add_argument("--like", type=path, action="append", default=[], metavar="IMAGE", help=like)
    unlike = "a picture that results should not be like; may be repeated"
    parser.add_argument("--not", type=path, action="append", default=[], metavar="IMAGE", dest="unlike", help=unlike)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--html", type=path, metavar="FILE", help="also write a page with thumbnails")
    parser.set_defaults(heavy=True)


def add_search_flags(parser: Parser) -> None:
    """Adds the flags that `search` and `serve` share."""
    negation = "how queries that deny something are scored; default: subtract"
    parser.add_argument("--negation", metavar="METHOD[,CONSTANT=VALUE...]", default="subtract", help=negation)
    parser.add_argument("--model", type=path, default="", help="the model, where it is no longer where it was")
    add_model_flags(parser)


def open_searcher(args: argparse.Namespace) -> "Searcher":
    """The index and its model; the flags say which where the model has moved."""
    from negjax.search.index_folder import open_index
    from negjax.search.searcher import Searcher
    from negjax.weights.read import read_model

    index = open_index(args.index)
    if args.model:
        load = {"path": args.model, "step": args.step, "arch": args.arch, "activation": args.activation}
        return Searcher(index, read_model(**load, ema=args.ema))
    try:
        model = read_model(**index.info.load)
    except NegjaxError as error:
        raise NegjaxError(f"the model of {args.index}: {error}; give the model as --model") from error
    return Searcher(index, model)


def _search(args: argparse.Namespace) -> int:
    from negjax.runtime.streams import announce
    from negjax.search.request import SearchRequest, read_query
    from negjax.search.results import best_results, to_json
    from negjax.search.results_page import write_page

    if args.k < 1:
        raise NegjaxError(f"-k {args.k}: it must be at least 1")
    query = read_query(args.query) if args.query or not args.like else None
    searcher = open_searcher(args)
    like, unlike = ([searcher.embed_image(image) for image in images] for images in (args.like, args.unlike))
    request = SearchRequest(query, args.negation, args.strength, like, unlike)
    results = best_results(searcher, request, args.k)
    if args.html:
        write_page(args.html, searcher.index, results)
    if args.json:
        print(json.dumps(to_json(results), indent=2))
    else:
        show(_to_table(results))
        for line in results.reading():
            announce(line)
    if args.html:
        announce(f"written: {args.html}") if not args.json else None
    return 0


def _to_table(results: "SearchResults") -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("file", overflow="fold")
    for rank, (file, score) in enumerate(zip(results.paths, results.score_K), 1):
        table.add_row(str(rank), f"{score:.4f}", escape(printable(file)))
    return table
