"""Embedding: the same result whatever the batches, the lengths, the number of devices and of processes."""

import dataclasses
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from support.trees import unit

from negjax.evaluation.embed.embed import embed
from negjax.evaluation.embed.encode import encode_media, encode_texts, model_on_devices
from negjax.evaluation.prepare import prepare_eval_data
from negjax.media.images import Preprocess
from negjax.models.architecture import TextEncoderConfig
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.runtime.mesh import make_mesh
from negjax.runtime.sharding import state_shardings
from negjax.tokenizers.clip import Tokenizer


@pytest.fixture(scope="module")
def plan(model, mcq_set, retrieval_set):
    return prepare_eval_data([mcq_set, retrieval_set], model.preprocess)


@pytest.fixture(scope="module")
def tokens(model, plan):
    """The captions' token ids; captions that differ in letter case alone have the same."""
    return model.tokenizer(plan.captions, 77)


def in_order(embedded: Iterator[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The embeddings by place, each place once."""
    places, vectors = zip(*embedded)
    order = np.argsort(np.concatenate(places))
    assert np.concatenate(places)[order].tolist() == list(range(len(order)))
    return np.concatenate(vectors)[order]


def test_a_ragged_last_batch_equals_no_padding(model, plan):
    pixels = np.concatenate([plan.images.read(i)[0] for i in range(len(plan.images.origins))])
    whole = unit(model.encode_image(pixels))
    on_mesh = model_on_devices(model)
    for size in (4, 12, 64):
        found = in_order(encode_media(on_mesh, plan.images, np.arange(len(pixels)), size))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, whole, atol=1e-6)


def test_only_what_is_asked_for_is_encoded(model, plan):
    on_mesh = model_on_devices(model)
    wanted = np.array([7, 2, 3])
    (places, vectors), *rest = encode_media(on_mesh, plan.images, wanted, 64)
    assert (places.tolist(), rest) == ([7, 2, 3], [])
    np.testing.assert_allclose(vectors[0], unit(model.encode_image(plan.images.read(7)[0]))[0], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 16, 10_000])
def test_packed_captions_equal_captions_in_rows_of_their_own(model, tokens, batch_size):
    """One shape, however many captions a row and a batch hold."""
    shapes = set()

    class Spy(LoadedModel):
        def encode_packed(self, texts):
            shapes.add(texts.token_RT.shape)
            return super().encode_packed(texts)

    on_mesh = model_on_devices(Spy(model.config, model.params, model.preprocess, model.tokenizer))
    found = in_order(encode_texts(on_mesh, tokens, np.arange(len(tokens)), batch_size))
    np.testing.assert_allclose(found, unit(model.encode_text(tokens)), atol=1e-6)
    ((rows, width),) = shapes
    assert width == 77
    assert rows % 8 == 0
    assert rows < max(9, 0.5 * min(batch_size, len(tokens)))


def test_captions_of_a_tower_that_masks_padding_are_cut_to_a_few_lengths(tokens):
    """They are encoded in the order of their lengths, and not packed: each token sees those after it."""
    shapes = set()

    class Spy(LoadedModel):
        def encode_tokens(self, text_BT):
            shapes.add(text_BT.shape)
            return super().encode_tokens(text_BT)

    config = preset("tiny")
    text = TextEncoderConfig(77, config.text.vocab_size, 32, 2, 2, 64, pad_id=0)
    config = dataclasses.replace(config, text=text)
    model = Spy(config, init_params(config, 0), Preprocess(size=config.vision.image_size), Tokenizer())
    found = in_order(encode_texts(model_on_devices(model), tokens, np.arange(len(tokens)), 16))
    assert len(shapes) > 1
    assert shapes <= {(16, length) for length in (8, 16, 24)}
    np.testing.assert_allclose(found, unit(model.encode_text(tokens)), atol=1e-6)


def test_tokens_that_look_like_padding_are_not_cut_off(model):
    tokens = model.tokenizer(["!!!!!!!!!! a dog !!!!!", "! ! ! ! ! ! ! ! ! cat", "!"], 77)
    on_mesh = model_on_devices(model)
    found = in_order(encode_texts(on_mesh, tokens, np.arange(3), 3))
    np.testing.assert_allclose(found, unit(model.encode_text(tokens)), atol=1e-6)


def test_parameters_that_are_cut_stay_where_they_are(model, plan, tokens):
    """As they lie in training."""
    mesh = make_mesh(fsdp=4, tensor=2)
    params = jax.device_put(model.params, state_shardings(mesh, model.params))
    cut = dataclasses.replace(model, params=params, mesh=mesh)
    assert model_on_devices(cut) is cut
    pixels = np.concatenate([plan.images.read(i)[0] for i in range(len(plan.images.origins))])
    found = in_order(encode_media(cut, plan.images, np.arange(len(pixels)), 16))
    np.testing.assert_allclose(found, unit(model.encode_image(pixels)), atol=1e-6)
    found = in_order(encode_texts(cut, tokens, np.arange(len(tokens)), 16))
    np.testing.assert_allclose(found, unit(model.encode_text(tokens)), atol=1e-6)


SCRIPT = """
import dataclasses, sys
import jax, numpy as np
from jax.experimental import mesh_utils
from negjax.datasets.stored.store import open_set
from negjax.evaluation.embed.embed import embed
from negjax.evaluation.embed.encode import model_on_devices
from negjax.evaluation.prepare import prepare_eval_data
from negjax.media.images import Preprocess
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.runtime.cluster import join_cluster
from negjax.runtime.mesh import make_mesh
from negjax.runtime.sharding import state_shardings
from negjax.tokenizers.clip import Tokenizer
out, port, processes, process, batch, seed, *folders = sys.argv[1:]
if int(processes) > 1:
    join_cluster(f"127.0.0.1:{port}", int(processes), int(process))
assert jax.device_count() == 4, jax.devices()
if out.endswith("scattered"):  # the devices lie on the mesh as those of a TPU may: not process after process
    plain = mesh_utils.create_device_mesh
    mesh_utils.create_device_mesh = lambda shape, devices, **how: plain(shape, np.array(devices)[[0, 2, 3, 1]], **how)
config = preset("tiny")
model = LoadedModel(config, init_params(config, int(seed)), Preprocess(size=config.vision.image_size), Tokenizer())
sets = [open_set(*folder.rsplit("/", 1)) for folder in folders]
plan = prepare_eval_data(sets, model.preprocess)
on_mesh = model_on_devices(model)
assert on_mesh.mesh.size == 4
assert model_on_devices(on_mesh) is on_mesh
media, captions = embed(model, plan, plan.captions, int(batch), cache_dir=out + ".cache")
np.savez(f"{out}.{processes}.{process}.npz", media=media, captions=captions)
def cut(leaf, sharding):
    return jax.make_array_from_callback(leaf.shape, sharding, lambda at: np.asarray(leaf)[at])
params = jax.tree.map(cut, model.params, state_shardings(make_mesh(fsdp=4), model.params))
again = model_on_devices(dataclasses.replace(model, params=params)).params
assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(model.params)))
"""


def start(out, sets, processes: int, process: int, port: int, batch=6, seed=0) -> subprocess.Popen:
    devices = f"--xla_force_host_platform_device_count={4 // processes}"
    env = os.environ | {"XLA_FLAGS": devices, "JAX_PLATFORMS": "cpu"}
    folders = [str(data.path.parent) for data in sets]
    numbers = [str(number) for number in (port, processes, process, batch, seed)]
    command = [sys.executable, "-c", SCRIPT, out, *numbers, *folders]
    with Path(f"{out}.{process}.log").open("wb") as log:
        return subprocess.Popen(command, env=env, stderr=log)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
def test_four_devices_and_two_processes_equal_one_device(model, plan, mcq_set, retrieval_set, tmp_path):
    one, port = embed(model, plan, plan.captions, 256, progress=False), free_port()
    for out, processes in (("alone", 1), ("together", 2), ("scattered", 2)):
        running = [
            start(str(tmp_path / out), [mcq_set, retrieval_set], processes, process, port)
            for process in range(processes)
        ]
        assert [each.wait(200) for each in running] == [0] * processes
    results = [np.load(path) for path in sorted(tmp_path.glob("*.npz"))]
    assert len(results) == 5
    for result in results:
        for name, expected in zip(("media", "captions"), one):
            np.testing.assert_allclose(result[name], expected, atol=1e-6)
            np.testing.assert_array_equal(result[name], results[0][name])  # the same shapes on each device
    blocks = [sorted(path.name.split(".")[1] for path in folder.glob("*/*")) for folder in tmp_path.glob("*.cache")]
    assert blocks == [["keys", "keys", "vectors", "vectors"]] * 3  # one process alone writes


@pytest.mark.slow
@pytest.mark.parametrize("what", ["data", "a batch size, frames or preprocessing", "a model"])
def test_processes_that_do_not_fit_together_are_told_so(mcq_set, retrieval_set, tmp_path, what):
    port, given = free_port(), [{"sets": [mcq_set], "batch": 6, "seed": 0}] * 2
    given[1] = given[0] | {"data": {"sets": [retrieval_set]}, "a model": {"seed": 1}}.get(what, {"batch": 64})
    running = [start(str(tmp_path / "out"), processes=2, process=i, port=port, **each) for i, each in enumerate(given)]
    assert all(each.wait(200) for each in running)
    for i in range(2):
        assert f"process 1 has {what} other than process 0" in (tmp_path / f"out.{i}.log").read_text()
    assert not list(tmp_path.glob("*.npz"))
