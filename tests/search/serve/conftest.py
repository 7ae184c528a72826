"""A folder with an odd name in it and links out of it, its index, and a server."""

from pathlib import Path

import pytest
from support.folders import draw, fill
from support.server import running

from negjax.search.searcher import Searcher

NAME = '<img src=x onerror="document.title=1">&.png'
COUNT = 60


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    folder = fill(tmp_path_factory.mktemp("served") / "photos", COUNT)
    (folder / "a/00.png").rename(folder / NAME)
    draw(folder.parent / "outside/secret.png", 999)
    (folder.parent / "outside/secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="session")
def searcher(photos, model, make_index) -> Searcher:
    return Searcher(make_index(photos, photos.parent / "index").index, model)


@pytest.fixture(scope="session")
def port(searcher):
    with running(searcher) as port:
        yield port
