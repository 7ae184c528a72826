"""Embedding: the same result whatever the batches, the lengths and the number of devices."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from negjax.evaluation.encode import encode_images, encode_texts, place
from negjax.evaluation.prepare import prepare
from negjax.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def plan(model, mcq_set, retrieval_set):
    context = model.config.text.context_length
    return prepare([mcq_set, retrieval_set], model.preprocess, model.tokenizer, context_length=context)


def unit(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


def test_a_ragged_last_batch_equals_no_padding(model, plan):
    whole = unit(model.encode_image(np.concatenate(list(plan.pixels(4)))))
    placed, sharding = place(model)
    for size in (4, 12, 64):
        found = encode_images(placed, plan.pixels(size), size, sharding)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, whole, atol=1e-6)


def test_trimmed_and_sorted_captions_equal_full_ones_in_order(model, plan):
    whole = unit(model.encode_text(plan.token_CT))
    assert plan.token_CT.shape[1] == 77
    placed, sharding = place(model)
    seen: list[int] = []
    found = encode_texts(placed, plan.token_CT, 16, sharding, seen.append)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert sum(seen) == len(plan.captions)


def test_captions_are_cut_to_a_few_lengths(model, plan):
    shapes = set()

    class Spy(LoadedModel):
        def encode_text(self, text_BT):
            shapes.add(text_BT.shape)
            return super().encode_text(text_BT)

    placed, sharding = place(Spy(model.config, model.params, model.preprocess, model.tokenizer))
    encode_texts(placed, plan.token_CT, 16, sharding)
    assert shapes <= {(16, length) for length in (8, 16, 24)}


def test_tokens_that_look_like_padding_are_not_cut_off(model):
    tokens = model.tokenizer(["!!!!!!!!!! a dog !!!!!", "! ! ! ! ! ! ! ! ! cat", "!"], 77)
    placed, sharding = place(model)
    np.testing.assert_allclose(encode_texts(placed, tokens, 3, sharding), unit(model.encode_text(tokens)), atol=1e-6)


SCRIPT = """
import sys, jax, numpy as np
from negjax.evaluation.encode import encode_images, encode_texts, place
from negjax.media.images import Preprocess
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.tokenizer import Tokenizer
assert jax.device_count() == 4
config = preset("tiny")
model = LoadedModel(config, init_params(config, seed=0), Preprocess(size=32), Tokenizer())
data = np.load(sys.argv[1])
model, sharding = place(model)
assert sharding.mesh.size == 4
again, same = place(model)
assert again is model and same.mesh == sharding.mesh
image = encode_images(model, [data["pixels"][:6], data["pixels"][6:]], 6, sharding)
text = encode_texts(model, data["tokens"], 7, sharding)
np.savez(sys.argv[2], image=image, text=text)
"""


def test_four_devices_equal_one(model, plan, tmp_path):
    pixels, tokens = next(plan.pixels(11)), plan.token_CT[:25]
    np.savez(tmp_path / "in.npz", pixels=pixels, tokens=tokens)
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "in.npz", tmp_path / "out.npz"],
        check=True,
        env=env,
        timeout=200,
    )
    found = np.load(tmp_path / "out.npz")
    one = jax.tree.map(unit, {"image": model.encode_image(pixels), "text": model.encode_text(tokens)})
    np.testing.assert_allclose(found["image"], one["image"], atol=1e-6)
    np.testing.assert_allclose(found["text"], one["text"], atol=1e-6)
