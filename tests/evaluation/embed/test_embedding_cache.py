"""The cache of embeddings: what is found, what never is, damage, and an evaluation that died."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support.images import noise_png

from negjax.evaluation.embed.cache import EmbeddingCache, content_key, model_key
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.media import DistinctMedia
from negjax.evaluation.prepare import prepare_eval_data
from negjax.models.compute import Compute
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """Rows of the batches of pictures and of captions that models encode from here on."""
    rows: list[int] = []
    for name in ("encode_pixels", "encode_packed"):
        original = getattr(LoadedModel, name)

        def watched(self, batch, original=original):
            rows.append(len(jax.tree.leaves(batch)[0]))
            return original(self, batch)

        monkeypatch.setattr(LoadedModel, name, watched)
    return rows


def test_what_was_added_is_found_in_any_order_after_flush(tmp_path):
    rng = np.random.default_rng(0)
    vectors, keys = rng.normal(size=(20, 5)).astype(np.float32), [f"{i:064x}" for i in range(20)]
    cache = EmbeddingCache(tmp_path, "m" * 64)
    cache.add(keys[:12], vectors[:12])
    assert not cache.find(keys, 5)[0].any()
    cache.flush()
    cache.add(keys[12:], vectors[12:])
    cache.flush()
    known, found = EmbeddingCache(tmp_path, "m" * 64).find([keys[15], "unknown", keys[3]], 5)
    assert known.tolist() == [True, False, True]
    np.testing.assert_array_equal(found, [vectors[15], np.zeros(5), vectors[3]])
    assert not EmbeddingCache(tmp_path, "n" * 64).find(keys, 5)[0].any()


@pytest.mark.parametrize("damage", ["cut keys", "cut vectors", "no vectors", "other width", "flipped bit"])
def test_a_damaged_block_is_not_used(tmp_path, damage, caplog):
    cache, keys = EmbeddingCache(tmp_path, "k" * 64), [f"{i:064x}" for i in range(4)]
    width = 3 if damage == "other width" else 2
    cache.add(keys, np.arange(4 * width, dtype=np.float32).reshape(4, width))
    cache.flush()
    (vectors,), (names,) = tmp_path.glob("*/*.vectors.npy"), tmp_path.glob("*/*.keys.npy")
    path = names if "keys" in damage else vectors
    content = bytearray(path.read_bytes())
    if damage == "no vectors":
        path.unlink()
    elif damage == "flipped bit":
        content[-1] ^= 1  # of the last vector
        path.write_bytes(content)
    elif damage.startswith("cut"):
        path.write_bytes(content[:-9])
    known, _ = EmbeddingCache(tmp_path, "k" * 64).find(keys, 2)
    assert np.flatnonzero(known).tolist() == ([0, 1, 2] if damage == "flipped bit" else [])
    assert "its embeddings are computed again" in caplog.text


@pytest.mark.parametrize("moved", ["to another content", "to another model"])
def test_an_entry_under_another_key_is_not_used(tmp_path, moved):
    keys, cache = [f"{i:064x}" for i in range(2)], EmbeddingCache(tmp_path, "k" * 64)
    cache.add(keys, np.eye(2, dtype=np.float32))
    cache.flush()
    assert EmbeddingCache(tmp_path, "k" * 64).find(keys, 2)[0].all()
    if moved == "to another model":
        (tmp_path / ("k" * 32)).rename(tmp_path / ("l" * 32))
        assert not EmbeddingCache(tmp_path, "l" * 64).find(keys, 2)[0].any()
        return
    (path,) = tmp_path.glob("*/*.keys.npy")
    entries = np.load(path)
    entries["key"] = entries["key"][::-1]
    np.save(path, entries)
    assert not EmbeddingCache(tmp_path, "k" * 64).find(keys, 2)[0].any()


@pytest.mark.parametrize("model", ["b", "c"])
def test_what_killed_writers_of_any_model_left_is_removed(tmp_path, model):
    folder, mine = tmp_path / (model * 32), tmp_path / "mine"
    complete, old, new = ([f"{digit * 32}.{part}.npy" for part in ("keys", "vectors")] for digit in "012")
    for place in (folder, mine):
        place.mkdir()
        for name in (f".{'0' * 32}.keys.npy.{'a' * 8}.tmp", "mine.tmp", *complete, old[1], new[1]):
            (place / name).write_bytes(b"half")
            if name != new[1]:
                os.utime(place / name, (0, 0))
    before = {path.name for path in mine.iterdir()}
    cache = EmbeddingCache(tmp_path, "b" * 64)
    cache.add(["0" * 64], np.ones((1, 2), np.float32))
    cache.flush()
    block = {path.name for path in (tmp_path / ("b" * 32)).iterdir()} - before
    assert len(block) == 2
    # The keys of the new vectors may be about to be written.
    assert {path.name for path in folder.iterdir()} - block == {"mine.tmp", *complete, new[1]}
    assert {path.name for path in mine.iterdir()} == before


@pytest.mark.parametrize("fault", ["of an earlier version", "no vectors", "flipped bit", "a folder"])
def test_a_block_that_cannot_be_used_is_removed_once_it_is_replaced(tmp_path, fault, caplog):
    keys, vectors = [f"{i:064x}" for i in range(4)], np.eye(4, dtype=np.float32)
    cache = EmbeddingCache(tmp_path, "b" * 64)
    cache.add(keys, vectors)
    cache.flush()
    (names,), (numbers,) = tmp_path.glob("*/*.keys.npy"), tmp_path.glob("*/*.vectors.npy")
    if fault == "of an earlier version":
        np.save(names, np.load(names)["key"])
    elif fault == "flipped bit":
        np.save(numbers, -vectors)
    elif fault == "no vectors":
        numbers.unlink()
    else:  # not readable at this time
        numbers.unlink()
        numbers.mkdir()
    again = EmbeddingCache(tmp_path, "b" * 64)
    assert not again.find(keys, 4)[0].any()
    assert names.exists()
    again.add(keys, vectors)
    again.flush()
    assert names.exists() == numbers.exists() == (fault == "a folder")
    caplog.clear()
    assert EmbeddingCache(tmp_path, "b" * 64).find(keys, 4)[0].all()
    assert bool(caplog.text) == (fault == "a folder")


def test_a_cache_that_cannot_be_written_is_done_without(model, mcq_set, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    result = evaluate(model, [mcq_set], cache_dir=tmp_path / "file", progress=False)
    assert result.results == evaluate(model, [mcq_set], progress=False).results
    assert caplog.text.count("embeddings are not kept from here on") == 2  # pictures, captions


def test_an_evaluation_from_the_cache_is_the_same_and_encodes_nothing(model, mcq_set, retrieval_set, tmp_path, encoded):
    first = evaluate(model, [mcq_set], cache_dir=tmp_path, progress=False)
    assert encoded
    encoded.clear()
    second = evaluate(model, [mcq_set], cache_dir=tmp_path, progress=False)
    assert encoded == []
    assert second.results == first.results
    for name, column in first.predictions["questions"].items():
        np.testing.assert_array_equal(column, second.predictions["questions"][name])
    evaluate(model, [mcq_set, retrieval_set], cache_dir=tmp_path, progress=False, batch_size=8)
    assert encoded[0] == 8  # only the three pictures that the first set does not have, on eight devices


def test_a_changed_weight_pixel_or_preprocessing_never_hits(model, mcq_set, make_set, mcq_rows, tmp_path, encoded):
    def misses(of: LoadedModel, data=mcq_set) -> list[int]:
        encoded.clear()
        plan = prepare_eval_data([data], of.preprocess, blind_texts=False)
        embed(of, plan, plan.captions, 256, cache_dir=tmp_path, progress=False)
        return list(encoded)

    assert len(misses(model)) == 2
    assert misses(model) == []
    params = jax.tree.map(np.array, model.params)
    params["visual"]["class_token"].flat[0] = np.nextafter(params["visual"]["class_token"].flat[0], 1)
    assert len(misses(dataclasses.replace(model, params=params))) == 2
    assert len(misses(dataclasses.replace(model, compute=Compute(dtype="bfloat16")))) == 2
    squashed = dataclasses.replace(model, preprocess=dataclasses.replace(model.preprocess, resize_mode="squash"))
    assert misses(squashed) == [16]  # pictures alone: 9 of them, on eight devices
    config = dataclasses.replace(model.config, vision=dataclasses.replace(model.config.vision, activation="quick_gelu"))
    assert len(misses(dataclasses.replace(model, config=config))) == 2
    rows = [row | {"media": noise_png(77)} if n == 0 else row for n, row in enumerate(mcq_rows)]
    assert misses(model, make_set("other", "mcq", "question", rows)) == [8]
    assert misses(model) == []


def test_keys_tell_what_was_changed(model):
    key = model_key(model)
    assert key == model_key(dataclasses.replace(model, info={}))
    with jax.default_matmul_precision(
        "float32"
    ):  # it decides nothing, for the towers say how their products are rounded
        assert model_key(model) == key
    assert model_key(dataclasses.replace(model, compute=Compute(dtype="bfloat16"))) != key
    assert content_key(key, "text") != content_key(key, DistinctMedia(model.preprocess).settings)


SCRIPT = """
import sys, time
from negjax.datasets.stored.store import open_set
from negjax.evaluation.embed import cache, embed
from negjax.evaluation import evaluate
from negjax.media.images import Preprocess
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.tokenizers.clip import Tokenizer
cache.BLOCK_SIZE = 4  # a block for each batch
embed.encode_texts = lambda *_: time.sleep(300)  # dies here
config = preset("tiny")
model = LoadedModel(config, init_params(config, seed=0), Preprocess(size=config.vision.image_size), Tokenizer())
evaluate.evaluate(model, [open_set(*sys.argv[1].rsplit("/", 1))], batch_size=4, cache_dir=sys.argv[2], progress=False)
"""


@pytest.mark.slow
def test_an_evaluation_that_was_killed_goes_on(model, mcq_set, tmp_path, encoded):
    env = os.environ | {"XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    running = subprocess.Popen([sys.executable, "-c", SCRIPT, str(mcq_set.path.parent), str(tmp_path)], env=env)
    for _ in range(600):
        if len(list(tmp_path.glob("*/*.keys.npy"))) == 3:
            break
        assert running.poll() is None
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not list(tmp_path.glob("*/*.vectors.npy.*"))
    same = dataclasses.replace(model, config=preset("tiny"))
    result = evaluate(same, [mcq_set], cache_dir=tmp_path, progress=False)
    assert encoded == [16]  # the rows of captions alone
    assert result.results["tasks"] == evaluate(same, [mcq_set], progress=False).results["tasks"]


def test_the_family_of_weights_is_no_part_of_a_key(model):
    """Keys are those of before architectures had a family, so that older caches are still read."""
    other = dataclasses.replace(model, config=dataclasses.replace(model.config, family="other"))
    assert model_key(other) == model_key(model)
