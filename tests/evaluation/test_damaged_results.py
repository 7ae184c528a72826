"""One flipped bit in any file of an evaluation is found, with a line that names the file, or changes no figure."""

import hashlib
import json

import numpy as np
import pytest
from support.damage import flip_bits

from negjax.errors import NegjaxError
from negjax.evaluation.embed.cache import EmbeddingCache
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.report.comparisons import compare_runs
from negjax.evaluation.report.exports import to_csv
from negjax.evaluation.report.runs import read_runs
from negjax.evaluation.results import write_results


@pytest.fixture(scope="module")
def folders(model, mcq_set, retrieval_set, tmp_path_factory):
    """Two evaluations of one model."""
    root = tmp_path_factory.mktemp("damage")
    result = evaluate(model, [mcq_set, retrieval_set], bootstrap=20, progress=False)
    for name in ("first", "second"):
        write_results(result, root / name)
    return [root / "first", root / "second"]


def figures(folders) -> str:
    runs = read_runs(folders)
    return to_csv(runs, compare_runs(runs)) + json.dumps([run.results for run in runs])


def test_results_and_predictions(folders):
    files = sorted(path for path in folders[1].rglob("*") if path.is_file())
    assert len(files) == 5
    whole, errors = figures(folders), []
    for path in flip_bits(files, 200):
        try:
            assert figures(folders) == whole, path  # a file that the figures do not come from
        except NegjaxError as error:
            errors.append(str(error))
    assert len(errors) > 100
    assert all(str(folders[1]) in error and "\n" not in error for error in errors)


def test_edited_results_say_how_to_go_on(folders):
    path, checksums = folders[1] / "results.json", folders[1] / "checksums.json"
    content, kept = path.read_text(), checksums.read_text()
    path.write_text(content.replace('"arch": "test"', '"arch": "mine"'))
    with pytest.raises(NegjaxError, match=r"results\.json differs from .*edited.*remove checksums\.json"):
        read_runs(folders)
    checksums.unlink()
    assert read_runs(folders)[1].results["model"]["arch"] == "mine"
    path.write_text(content)
    checksums.write_text(kept)
    figures(folders)


def test_embedding_caches(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 4)).astype(np.float32)
    keys = [hashlib.sha256(vector.tobytes()).hexdigest() for vector in vectors]
    cache = EmbeddingCache(tmp_path, "k" * 64)
    cache.add(keys, vectors)
    cache.flush()
    lost = 0
    for path in flip_bits(sorted(tmp_path.rglob("*.npy")), 1000):
        found, stored = EmbeddingCache(tmp_path, "k" * 64).find(keys, 4)
        assert np.array_equal(stored[found], vectors[found]), path
        assert not stored[~found].any()
        lost += not found.all()
    assert lost > 300


def test_vectors_of_the_other_byte_order_are_not_used(tmp_path):
    """One bit of the file's header: their checksums are right."""
    cache = EmbeddingCache(tmp_path, "k" * 64)
    cache.add(["0" * 64], np.ones((1, 4), np.float32))
    cache.flush()
    (path,) = tmp_path.rglob("*.vectors.npy")
    path.write_bytes(path.read_bytes().replace(b"<f4", b">f4"))
    assert not EmbeddingCache(tmp_path, "k" * 64).find(["0" * 64], 4)[0].any()
