"""The results of a search as one HTML file that needs no network; all texts in it are escaped."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from etils import epath
from markupsafe import Markup

from negjax.errors import NegjaxError
from negjax.evaluation.report.page import make_environment
from negjax.media.thumbnails import to_webp
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path
from negjax.search.found_files import file_picture
from negjax.search.index_folder import FileIndex
from negjax.search.results import SearchResults

THUMBNAIL_SIDE = 256  # pixels of the longer side


def write_page(out: epath.PathLike, index: FileIndex, results: SearchResults) -> None:
    """Writes the page. A file that is gone or changed has no thumbnail but says why.

    Args:
        out: the file; its name ends in .html.
        index: the index.
        results: what was found in it.

    Raises:
        NegjaxError: the name has another ending, or it cannot be written.
    """
    target = to_path(out)
    if target.suffix != ".html":
        raise NegjaxError(f"the page would be written to {out}: give a name that ends in .html")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        pictures = list(threads.map(lambda path: _thumbnail(Path(index.info.folder), path), results.paths))
    assets = files("negjax").joinpath("assets/search")
    page = make_environment("assets/search").get_template("results.html.jinja")
    cards = [
        {"path": path, "score": f"{score:.4f}", "picture": picture, "error": error}
        for path, score, (picture, error) in zip(results.paths, results.score_K, pictures)
    ]
    query = results.request.query
    write_atomic(
        target,
        page.render(
            title=query.caption if query else "pictures like those given",
            reading=results.reading(),
            folder=index.info.folder,
            count=results.files,
            cards=cards,
            style=Markup(assets.joinpath("results.css").read_text(encoding="utf-8")),
        ),
    )


def _thumbnail(folder: Path, path: str) -> tuple[str, str]:
    """The thumbnail of a file as the source of an <img>, or why there is none."""
    try:
        picture = file_picture(folder, path)
        webp = to_webp(picture, THUMBNAIL_SIDE)
    except NegjaxError as error:
        return "", str(error)
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}", ""
