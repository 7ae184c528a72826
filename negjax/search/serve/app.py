"""The application: the page, its search, and pictures of the index by row. No path is ever read from a request."""

from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from negjax.errors import NegjaxError
from negjax.negation.table import METHODS, NO_METHOD
from negjax.search.results import to_json
from negjax.search.searcher import Searcher
from negjax.search.serve.guard import Guard
from negjax.search.serve.parameters import read_parameters
from negjax.search.serve.pictures import PICTURE_SIDES, Pictures
from negjax.search.serve.rankings import Rankings

PAGE_FILES = {"/": ("serve.html", "text/html"), "/serve.js": ("serve.js", "text/javascript")}
PAGE_FILES |= {"/serve.css": ("serve.css", "text/css"), "/icon.svg": ("icon.svg", "image/svg+xml")}


def served_methods(default_method: str) -> list[str]:
    """The methods that a request may name: others could have constants in a file, whose path it must not choose."""
    return list(dict.fromkeys([default_method, *(name for name, each in METHODS.items() if each.grid), NO_METHOD]))


def make_app(searcher: Searcher, default_method: str, token: str = "") -> Guard:
    """The ASGI application that serves an index.

    Args:
        searcher: the index with its model.
        default_method: the method where the page names none, with constants where they are given.
        token: that requests must know; "" where Host must be of the loopback instead.

    Raises:
        NegjaxError: the method is unknown.
    """
    searcher.method(default_method)
    methods = served_methods(default_method)
    rankings, pictures, index = Rankings(searcher), Pictures(searcher.index), searcher.index

    def about(request: Request) -> Response:
        info = index.info
        name = info.folder.rpartition("/")[2]
        content = {"folder": name, "files": info.files, "model": info.model["arch"], "methods": methods}
        return JSONResponse(content | {"plain": NO_METHOD})

    def search(request: Request) -> Response:
        try:
            page = read_parameters(request.query_params, methods, default_method, info_files)
            content: dict[str, Any] = to_json(rankings.page(page)) | {"offset": page.offset}
        except NegjaxError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(content)

    def picture(request: Request) -> Response:
        row, size = request.path_params["row"], request.query_params.get("size", "small")
        if row >= info_files or size not in PICTURE_SIDES:
            return JSONResponse({"error": "there is no such picture"}, 404)
        try:
            webp = pictures.webp(row, size)
        except NegjaxError as error:
            return JSONResponse({"error": str(error)}, 404)
        return Response(webp, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})

    info_files = index.info.files
    routes = [Route("/api/search", search), Route("/api/index", about), Route("/picture/{row:int}", picture)]
    routes += [Route(path, _page_file(name, media_type)) for path, (name, media_type) in PAGE_FILES.items()]
    return Guard(Starlette(routes=routes), token)


def _page_file(name: str, media_type: str) -> Any:
    content = files("negjax").joinpath("assets/search", name).read_bytes()

    def answer(request: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return answer
