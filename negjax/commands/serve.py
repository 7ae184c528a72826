"""`negjax serve`: the page that searches an index."""

import argparse
import importlib.util
from typing import Any

from negjax.commands.parsing import command, path
from negjax.commands.search import add_search_flags, open_searcher

SERVE = """\
examples:
  negjax serve photos.index                       then open http://127.0.0.1:8760/
  ssh -L 8760:127.0.0.1:8760 HOST                 to open it from another machine
  negjax serve photos.index --host 0.0.0.0 --token "$(openssl rand -hex 16)"

The page and GET /api/search?q=QUERY are served on this machine alone, unless --host says otherwise. Only pictures of
the index are shown, re-encoded, by number: no other file can be asked for. Nothing is sent anywhere."""


def add(commands: Any) -> None:
    """Adds `serve` to the commands of the parser."""
    parser = command(commands, "serve", _serve, "a page in the browser that searches an index", SERVE)
    parser.add_argument("index", type=path, metavar="INDEX", help="a folder of `negjax index`")
    add_search_flags(parser)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8760, help="0 for a free one; default: 8760")
    parser.add_argument("--token", default="", help="that the page must be opened with; needed for other hosts")
    parser.set_defaults(heavy=True)


def _serve(args: argparse.Namespace) -> int:
    from negjax.errors import NegjaxError

    if missing := [name for name in ("starlette", "uvicorn") if importlib.util.find_spec(name) is None]:
        raise NegjaxError(f'negjax serve needs {" and ".join(missing)}: pip install "negjax[serve]"')
    from negjax.search.serve.run import check_access, serve

    check_access(args.host, args.token)
    serve(open_searcher(args), args.negation, args.host, args.port, args.token)
    return 0
