"""Vectors in an engine: the same searches as in the array of an index, and the folder is followed as it is there.

LanceDB and PostgreSQL are the real engines; of Qdrant it is the client's local mode, not its server.
"""

import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from support.embedded import count_embedded
from support.folders import draw, fill
from support.models import tiny_model
from support.postgres import postgres
from support.trees import unit

from negjax.cli import main
from negjax.errors import NegjaxError
from negjax.search import build
from negjax.search.request import SearchRequest, read_query
from negjax.search.results import best_results, to_json
from negjax.search.searcher import Searcher
from negjax.search.serve.run import make_server
from negjax.search.stores.store import StoreAddress, StoredRow
from negjax.search.stores.table import STORES, open_store

QUERY = "a beach without people"
PACKAGES = {"lancedb": ["lancedb"], "qdrant": ["qdrant_client"], "pgvector": ["psycopg", "pgvector"]}
MODEL = {"arch": "tiny", "sha256": "ab"}


@pytest.fixture(scope="module", params=STORES)
def uri(request) -> tuple[str, str]:
    """An engine, and where it is."""
    for package in PACKAGES[request.param]:
        pytest.importorskip(package, reason=f"{package} is not installed")
    if request.param == "pgvector":
        with postgres() as uri:
            yield request.param, uri
    else:  # in memory where that is possible: Qdrant's local mode writes to the disk row by row
        memory = Path("/dev/shm")
        with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            yield request.param, f"{folder}/store"


@pytest.fixture
def address(uri, request) -> StoreAddress:
    """A table that no other test uses."""
    return StoreAddress(*uri, f"t{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}")


@pytest.fixture
def embedded(monkeypatch) -> list[int]:
    """The numbers of media that are encoded."""
    return count_embedded(monkeypatch)


def read_table(address: StoreAddress, index) -> dict[tuple[str, str], np.ndarray]:
    """All rows of the table of an index: path and sha256 to the vector."""
    info = index.info
    store = open_store(address, info.folder, info.model, info.width, create=False)
    try:
        rows = store.rows()
        assert len(rows) == len(set(rows))
        vectors = store.vectors(rows) if rows else []
        return {(row.path, row.sha256.hex()): vector for row, vector in zip(rows, vectors)}
    finally:
        store.close()


def assert_same(found: dict, index) -> None:
    """A table holds what the array of an index holds."""
    names = zip(index.files["path"].to_pylist(), (each.hex() for each in index.files["sha256"].to_pylist()))
    expected = dict(zip(names, np.array(index.vector_NE)))
    assert found.keys() == expected.keys()
    for name, vector in expected.items():
        np.testing.assert_allclose(found[name], vector, atol=1e-6)


def test_the_first_20_of_200_queries_are_those_of_exact_search(address):
    generator = np.random.default_rng(0)
    count = 300 if address.kind == "qdrant" else 3000  # its local mode is slow
    vector_NE = unit(generator.normal(size=(count, 32))).astype(np.float32)
    query_QE = unit(generator.normal(size=(200, 32))).astype(np.float32)
    rows = [StoredRow(f"é {n:04}.png", hashlib.sha256(str(n).encode()).digest()) for n in range(len(vector_NE))]
    store = open_store(address, "/photos", MODEL, 32, create=True)
    for start in range(0, count, 1024):
        store.add(rows[start : start + 1024], vector_NE[start : start + 1024])
    store.settle()
    score_QN = query_QE.astype(np.float64) @ vector_NE.T.astype(np.float64)
    for query_E, score_N in zip(query_QE, score_QN):
        found = store.nearest(3 * query_E, 20)
        best = np.sort(score_N)[::-1][:20]
        np.testing.assert_allclose([score for _, score in found], best, atol=1e-6)
        scores = {row.path: score for row, score in zip(rows, score_N)}
        np.testing.assert_allclose([scores[path] for path, _ in found], best, atol=1e-6)
        assert len({path for path, _ in found}) == 20
    order = [rows[n] for n in (299, 0, 150)]
    np.testing.assert_allclose(store.vectors(order), vector_NE[[299, 0, 150]], atol=1e-6)
    store.remove(rows[: count - 50])
    assert set(store.rows()) == set(rows[-50:])
    with pytest.raises(NegjaxError, match="is gone"):
        store.vectors(rows[:1])
    store.close()


def test_the_folder_is_followed(tmp_path, address, make_index, embedded):
    folder, out = fill(tmp_path / "photos", 40), tmp_path / "index"  # more than a chunk
    (folder / "torn.png").write_bytes((folder / "a/00.png").read_bytes()[:200])
    index = make_index(folder, out, store=address).index
    assert_same(read_table(address, index), make_index(folder, tmp_path / "array").index)
    assert not list(out.rglob("*.npy"))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "index.json"}
    embedded.clear()
    changes = make_index(folder, out, store=address)
    assert (changes.added, changes.moved, changes.removed, changes.unchanged) == (0, 0, 0, 40)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in out.rglob("*")}.items()

    (folder / "a/00.png").rename(folder / "moved.png")
    (folder / "copy.png").write_bytes((folder / "b/01.png").read_bytes())
    (folder / "a/02.png").unlink()
    (folder / "moved too.png").write_bytes((folder / "b/03.png").read_bytes())
    draw(folder / "b/03.png", 103)  # changed, and its former content is elsewhere
    draw(folder / "new.png", 104)
    (folder / "new copy.png").write_bytes((folder / "new.png").read_bytes())
    changes = make_index(folder, out, store=address)
    assert (changes.added, changes.moved, changes.removed) == (3, 3, 2)
    assert embedded == [2]
    assert_same(read_table(address, changes.index), make_index(folder, tmp_path / "array").index)


@pytest.mark.parametrize("at", ["before the rows are added", "between rows and journal", "while rows are removed"])
def test_a_killed_run_is_completed(at, tmp_path, address, make_index, embedded, monkeypatch):
    folder, out = fill(tmp_path / "photos", 100), tmp_path / "index"
    (folder / "b/99.png").write_bytes((folder / "a/02.png").read_bytes())
    if at == "while rows are removed":
        make_index(folder, out, store=address)
        for number in range(0, 60, 2):
            (folder / f"a/{number:02}.png").rename(folder / f"c{number}.png")
        embedded.clear()
    owner, name, call = {
        "before the rows are added": (build.StoredFiles, "add", 3),
        "between rows and journal": (build.Journal, "add", 3),
        "while rows are removed": (build.StoredFiles, "keep_only", 1),
    }[at]
    method, calls = getattr(owner, name), []

    def stop(self, *arguments):
        calls.append(1)
        if len(calls) == call:
            if name == "keep_only":
                self._store.remove(sorted(self._rows)[:20])  # part of what is there, needed or not
            raise KeyboardInterrupt
        return method(self, *arguments)

    monkeypatch.setattr(owner, name, stop)
    with pytest.raises(KeyboardInterrupt):
        make_index(folder, out, store=address)
    monkeypatch.setattr(owner, name, method)
    index = make_index(folder, out, store=address).index
    expected = {"before the rows are added": 99 + 32, "between rows and journal": 99, "while rows are removed": 20}[at]
    assert sum(embedded) <= expected
    assert_same(read_table(address, index), make_index(folder, tmp_path / "array").index)


def test_a_lost_index_is_made_again_without_embedding(tmp_path, address, make_index, embedded):
    folder = fill(tmp_path / "photos")
    make_index(folder, tmp_path / "index", store=address)
    draw(folder / "new.png", 99)
    embedded.clear()
    index = make_index(folder, tmp_path / "other", store=address).index
    assert embedded == [1]
    assert_same(read_table(address, index), make_index(folder, tmp_path / "array").index)


def test_a_search_asks_the_store(tmp_path, address, model, weights, make_index, capsys):
    folder = fill(tmp_path / "photos", 40)
    stored = Searcher(make_index(folder, tmp_path / "index", store=address).index, model)
    array = Searcher(make_index(folder, tmp_path / "array").index, model)
    pictures = [array.index.vector_NE[3]], [array.index.vector_NE[7]]
    for negation in ("none", "subtract", "space", "projection", "deo", "context"):
        for strength, like, unlike in ((1.0, [], []), (0.4, *pictures)):
            request = SearchRequest(read_query(QUERY), negation, strength, like, unlike)
            found, expected = (best_results(each, request, 10) for each in (stored, array))
            difference = np.array(found.score_K) - expected.score_K  # context's scores differ by one number
            np.testing.assert_allclose(difference - difference.mean(), 0, atol=2e-6)
            assert found.paths == expected.paths
            assert found.row_K.tolist() == expected.row_K.tolist()
            assert to_json(found)["files"] == 40
    with pytest.raises(NegjaxError, match=r"lcse scores images with several vectors .*, or one of subtract, space"):
        best_results(stored, SearchRequest(read_query(QUERY), "lcse"), 10)
    assert best_results(stored, SearchRequest(read_query("a beach"), "lcse"), 10).paths
    with pytest.raises(NegjaxError, match="cancel out"):
        best_results(stored, SearchRequest(None, "deo", 2.0, [pictures[0][0]], [pictures[0][0]]), 10)
    with pytest.raises(NegjaxError, match="`negjax search` asks there"):
        make_server(stored, "deo", "127.0.0.1", 0, "")

    assert main(["search", str(tmp_path / "index"), QUERY, "-k", "5", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in answer["results"]] == best_results(
        array, SearchRequest(read_query(QUERY)), 5
    ).paths


def test_tables_of_others_are_left_alone(tmp_path, address, make_index, model):
    folder = fill(tmp_path / "photos")
    make_index(folder, tmp_path / "index", store=address)
    with pytest.raises(NegjaxError, match=r"another model or other settings \(sha256 differ"):
        build.build_index(folder, tiny_model(1), {}, tmp_path / "other", store=address, progress=False)
    other = fill(tmp_path / "others")
    with pytest.raises(NegjaxError, match=r"is of the folder .*photos: give another --table"):
        make_index(other, tmp_path / "other", store=address)
    with pytest.raises(NegjaxError, match=r"has its vectors in .*: give --store"):
        make_index(folder, tmp_path / "index")
    make_index(folder, tmp_path / "array")
    with pytest.raises(NegjaxError, match="has its vectors in its own folder"):
        make_index(folder, tmp_path / "array", store=address)
    missing = StoreAddress(address.kind, address.uri, "missing")
    with pytest.raises(NegjaxError, match="there is no such table"):
        open_store(missing, str(folder), MODEL, 32, create=False)


def command(folder: Path, weights: Path, out: Path, *store: str) -> list[str]:
    return ["index", str(folder), "--model", str(weights), "--out", str(out), "--store", *store]


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (("faiss", "x"), "unknown store 'faiss'; choose one of lancedb, qdrant, pgvector"),
        (("lancedb", "x", "--table", "a; drop"), "--table 'a; drop': give at most 48 small letters"),
        (("pgvector", "postgresql://me:secret@host/db"), "has a password in it"),
        (("pgvector", "postgresql://me@host/db?password=secret"), "has a password in it"),
        (("lancedb", "x", "--vectors", "float16"), "a store has its own type"),
    ],
)
def test_what_cannot_be_a_store(store, message, tmp_path, weights, capsys):
    assert main(command(fill(tmp_path / "photos", 2), weights, tmp_path / "index", *store)) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("kind", "uri", "message"),
    [
        ("qdrant", "http://127.0.0.1:1", "qdrant at http://127.0.0.1:1, table negjax: "),
        ("pgvector", "postgresql://me@127.0.0.1:1/db", "pgvector at postgresql://me@127.0.0.1:1/db, table negjax: "),
        ("pgvector", "photos", "give the URI as postgresql://USER@HOST/DATABASE"),
        ("lancedb", "/dev/null/x", "lancedb at /dev/null/x, table negjax: "),
    ],
)
def test_a_server_that_is_not_there_is_one_line(kind, uri, message, tmp_path, weights, capsys):
    for package in PACKAGES[kind]:
        pytest.importorskip(package, reason=f"{package} is not installed")
    assert main(command(fill(tmp_path / "photos", 2), weights, tmp_path / "index", kind, uri)) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", STORES)
def test_a_missing_package_is_one_line(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGES[kind][0], None)
    monkeypatch.delitem(sys.modules, f"negjax.search.stores.{kind}", raising=False)
    with pytest.raises(NegjaxError, match=rf'needs its package .*: pip install "negjax\[{kind}\]"'):
        open_store(StoreAddress(kind, "x", "negjax"), "/photos", MODEL, 32, create=True)
