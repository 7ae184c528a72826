"""The table of methods in negjax/search/README.md, as Markdown, from the workdirs of several quickstarts.

    python tools/search_table.py runs/seed0 runs/seed1 runs/seed2

The index of each workdir is served as `negjax serve` does, and asked by HTTP for "a A but no B" of 200 pairs of
objects. Of the first ten pictures, `violations` is the share that hold B, `asked` the share that hold A, `right` the
share that hold A and not B. Each cell is the mean over the workdirs in per cent, with minimum and maximum in brackets.
The last line is the model that was trained on negation, asked without a method.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
from quickstart_table import format_cell

from negjax.datasets.stored.store import open_set
from negjax.language.phrases import with_article
from negjax.models.loaded import LoadedModel
from negjax.negation.table import NO_METHOD
from negjax.quickstart_index import INDEX_FOLDER, PICTURE_FOLDER, index_scenes
from negjax.search.build import build_index
from negjax.search.index_folder import open_index
from negjax.search.request import DEFAULT_METHOD
from negjax.search.searcher import Searcher
from negjax.search.serve.app import served_methods
from negjax.search.serve.run import make_server
from negjax.weights.read import read_model

QUERIES = 200
FIRST = 10  # pictures that are looked at
FEWEST = 10  # pictures that a query must have


@contextmanager
def served(index: Path, model: LoadedModel) -> Iterator[int]:
    """Serves an index in the block, which gets the port."""
    server, listener = make_server(Searcher(open_index(index), model), DEFAULT_METHOD, "127.0.0.1", 0, "")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def draw_queries(shown: list[set[str]]) -> list[tuple[str, str]]:
    """Pairs of objects of which enough pictures show the first without the second.

    Args:
        shown: the objects of each picture.
    """
    objects = sorted(set().union(*shown))
    pairs = [
        (asked, excluded)
        for asked in objects
        for excluded in objects
        if asked != excluded and sum(asked in names and excluded not in names for names in shown) >= FEWEST
    ]
    chosen = np.random.default_rng(0).choice(len(pairs), min(QUERIES, len(pairs)), replace=False)
    return [pairs[number] for number in chosen]


def ask(port: int, shown: list[set[str]], method: str) -> dict[str, float]:
    """The figures of a method.

    Args:
        port: of the server.
        shown: the objects of each picture.
        method: the method.
    """
    counts = {"violations": 0, "asked": 0, "right": 0}
    queries = draw_queries(shown)
    for asked, excluded in queries:
        query = f"{with_article(asked)} but no {excluded}"
        parameters = urlencode({"q": query, "negation": method, "limit": FIRST})
        with urlopen(f"http://127.0.0.1:{port}/api/search?{parameters}") as answer:
            results = json.load(answer)["results"]
        for names in (shown[int(result["path"].split("_")[0])] for result in results):
            counts["violations"] += excluded in names
            counts["asked"] += asked in names
            counts["right"] += asked in names and excluded not in names
    return {name: count / (FIRST * len(queries)) for name, count in counts.items()}


def figures_of(workdir: Path) -> dict[str, dict[str, float]]:
    """The figures of each method, and of the model that was trained on negation. workdir: of a quickstart."""
    shown = [set(row["positive_objects"]) for row in open_set(workdir / "data", "scenes_retrieval").rows()]
    model = read_model(workdir / "pretrained")
    with served(index_scenes(workdir, "pretrained", model), model) as port:
        figures = {method: ask(port, shown, method) for method in sorted(served_methods(DEFAULT_METHOD))}
    trained, index = read_model(workdir / "negfull"), workdir / f"{INDEX_FOLDER}_negfull"
    build_index(workdir / PICTURE_FOLDER, trained, {"path": str(workdir / "negfull")}, index, progress=False)
    with served(index, trained) as port:
        figures["negfull, none"] = ask(port, shown, NO_METHOD)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdirs", nargs="+", type=Path, help="of quickstarts of different seeds")
    args = parser.parse_args()
    runs = [figures_of(workdir) for workdir in args.workdirs]
    print(f"| | {' | '.join(runs[0][NO_METHOD])} |\n| --- | ---: | ---: | ---: |")
    for name in runs[0]:
        cells = [format_cell([run[name][figure] for run in runs]) for figure in runs[0][name]]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
