"""Adapters that change embeddings of texts: gradients, on any mesh; a run, its checkpoints, and what they refuse."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from support.drawn_batches import PREPROCESS, draw_batch

from negjax.adapters.table import ADAPTERS, make_adapter
from negjax.cli import main
from negjax.config import Experiment, ModelSpec, NeRo, Optim, PeakPatch, Source
from negjax.config.adapter import ADAPTER_SETTINGS
from negjax.errors import NegjaxError
from negjax.export.export import ExportForm, export
from negjax.models import clip
from negjax.models.init import init_params
from negjax.models.packing import PackedTexts
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.loop import train
from negjax.training.prepare import prepare_run
from negjax.training.step import make_step, new_state
from negjax.weights.interpolate import interpolate
from negjax.weights.read import read_model
from negjax.weights.write import write_negjax

SHARE = 0.75  # of the questions in the loss
SOURCES = {"questions": Source("a", 16, mcq=SHARE), "pairs": Source("b", 16, contrastive=1 - SHARE)}
NERO, PATCH = make_adapter("nero", NeRo(rank=2)), make_adapter("peakpatch", PeakPatch(width=8))
KEEP_GRADIENTS = with_hold(optax.trace(0.0))  # an optimizer whose state is the last gradient
PLAIN = ["a dog on a beach", "a photo of nothing but a cat", "two cups"]
DENYING = ["a beach without dogs", "there is no cat in this picture", "not a cup"]


def test_every_kind_has_settings():
    assert ADAPTERS.keys() == ADAPTER_SETTINGS.keys()
    assert all(make_adapter(name, None).kind.settings is settings for name, settings in ADAPTER_SETTINGS.items())


@pytest.fixture(scope="module")
def batch() -> dict:
    """Every second text denies something."""
    batch = draw_batch(SOURCES)
    for source, name in (("questions", "options"), ("pairs", "text")):
        rows = batch[source][name].reshape(-1, batch[source][name].shape[-1])
        rows[::2, 0] = -1 - rows[::2, 0]
    return batch


def trained(adapter: dict) -> dict:
    """After some steps."""
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda x: np.float32(x + 0.3 * rng.normal(size=x.shape)), jax.device_get(adapter))


def gradient(kind, config, adapter, params, batch, mesh) -> tuple:
    """Gradient of an adapter, and metrics."""
    state = new_state(jax.tree.map(jnp.asarray, adapter), KEEP_GRADIENTS)
    shardings = state_shardings(mesh, state)
    learns = kind.adapted(params)
    step = make_step(SOURCES, Towers(config, PREPROCESS), KEEP_GRADIENTS, learns, adapter=kind, mesh=mesh)
    placed = jax.device_put(jax.device_get(state), shardings), put_batch(mesh, batch)
    start = jax.device_put(params, state_shardings(mesh, params))
    state, metrics = jax.jit(step, out_shardings=(shardings, None))(*placed, start)
    return jax.device_get((state["opt_state"].trace, metrics))


def loss_in_numpy(config, params, batch):
    """A function of the adapter's matrices in float64, from the frozen towers' embeddings."""

    def frozen(source: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        ids = batch[source][name].reshape(-1, batch[source][name].shape[-1])
        plain = np.where(ids < 0, -1 - ids, ids)
        return np.float64(clip.encode_text(config, params, jnp.asarray(plain))), ids[:, 0] < 0

    def images(source: str) -> np.ndarray:
        run = Towers(config, PREPROCESS).encode(params, {(source, "image"): jnp.asarray(batch[source]["image"])})
        return unit(np.float64(run[source, "image"]))

    option_OE, caption_BE, scale = (
        frozen("questions", "options"),
        frozen("pairs", "text"),
        np.exp(params["logit_scale"]),
    )
    asked, paired, answer = images("questions"), images("pairs"), batch["questions"]["answer"]

    def loss(down: np.ndarray, up: np.ndarray) -> float:
        def moved(embedding: np.ndarray, denies: np.ndarray) -> np.ndarray:
            return unit(embedding + denies[:, None] * (np.tanh(embedding @ down) @ up))

        options = moved(*option_OE).reshape(len(asked), -1, len(up.T))
        questions = cross_entropy(scale * np.einsum("be,boe->bo", asked, options), answer)
        logits, right = scale * paired @ moved(*caption_BE).T, np.arange(len(paired))
        return SHARE * questions + (1 - SHARE) * (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2

    return loss


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def cross_entropy(logits: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(right)), right]))


def test_loss_and_gradient_are_those_of_numpy_on_one_device_and_on_eight(config, params, batch):
    adapter = trained(NERO.new(params))
    found, metrics = gradient(NERO, config, adapter, params, batch, make_mesh(jax.devices()[:1]))
    loss = loss_in_numpy(config, params, batch)
    matrices = {name: np.float64(x) for name, x in adapter["text"]["nero"].items()}
    assert metrics["loss"] == pytest.approx(loss(**matrices), rel=1e-5)
    for name, matrix in matrices.items():
        wanted = np.zeros_like(matrix)
        for index in np.ndindex(matrix.shape):
            ends = []
            for change in (1e-5, -1e-5):
                moved = matrix.copy()
                moved[index] += change
                ends.append(loss(**matrices | {name: moved}))
            wanted[index] = (ends[0] - ends[1]) / 2e-5
        assert np.abs(wanted).max() > 1e-2
        np.testing.assert_allclose(found["text"]["nero"][name], wanted, atol=1e-5 * np.abs(wanted).max() + 1e-7)

    assert_same_on_eight(NERO, config, adapter, params, batch, found, metrics)


def assert_same_on_eight(kind, config, adapter, params, batch, found, metrics) -> None:
    many, more = gradient(kind, config, adapter, params, batch, make_mesh(fsdp=2, tensor=2))
    assert more["loss"] == pytest.approx(metrics["loss"], rel=1e-5)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(many), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5 * np.abs(one).max())


@pytest.mark.slow
def test_peakpatch_on_eight_devices_is_what_it_is_on_one(config, params):
    batch, adapter = draw_batch(SOURCES), trained(PATCH.new(params))
    found, metrics = gradient(PATCH, config, adapter, params, batch, make_mesh(jax.devices()[:1]))
    assert_same_on_eight(PATCH, config, adapter, params, batch, found, metrics)


def test_peakpatch_on_packed_texts_is_what_it_is_on_each(mini):
    """And it is no adapter to the bit where its last layer is 0."""
    texts = [*PLAIN, *DENYING]
    adapter = trained(PATCH.new(mini.params))
    model = dataclasses.replace(mini, params=PATCH.adapt(mini.params, adapter))
    alone = np.asarray(model.encode_text(mini.tokenizer(texts)))
    start = np.asarray(mini.encode_text(mini.tokenizer(texts)))
    assert (np.abs(alone - start).max(axis=1) > 1e-2).all()
    packed = model.encode_packed(in_one_row(model, texts))
    np.testing.assert_allclose(packed[0, : len(texts)], alone, atol=1e-5 * np.abs(alone).max())

    last = jax.tree.map(np.zeros_like, adapter["text"]["peakpatch"]["last"])
    none = {"text": {"peakpatch": adapter["text"]["peakpatch"] | {"last": last}}}
    same = dataclasses.replace(mini, params=PATCH.adapt(mini.params, none))
    row = in_one_row(mini, texts)
    np.testing.assert_array_equal(same.encode_packed(row), mini.encode_packed(row))


def in_one_row(model, texts: list[str]) -> PackedTexts:
    row, ends = [], []
    for ids in model.tokenizer(texts):
        row += ids[: ids.argmax() + 1].tolist()
        ends.append(len(row) - 1)
    tokens, slots = np.zeros((1, 64), np.int32), np.full((1, 8), 63, np.int32)
    tokens[0, : len(row)], slots[0, : len(ends)] = row, ends
    return PackedTexts(tokens, slots)


@pytest.fixture(scope="module")
def base(mini, tmp_path_factory) -> Path:
    """The weights that are adapted, as a checkpoint."""
    folder = tmp_path_factory.mktemp("weights") / "base"
    write_negjax(dataclasses.replace(mini, params=init_params(mini.config, 3)), folder)
    return folder


@pytest.fixture(scope="module")
def experiment(scenes, base) -> Experiment:
    return Experiment(
        ModelSpec(init_from=str(base)),
        {"asked": Source("scenes_balanced", 32, mcq=SHARE, contrastive=1 - SHARE, negated_fraction=0.5)},
        str(scenes),
        steps=3,
        optim=Optim(learning_rate=3e-2),
        nero=NeRo(rank=2),
        log_every=1,
    )


@pytest.fixture(scope="module")
def run(experiment, base, tmp_path_factory):
    """A workdir, and the model that the run returned."""
    workdir = tmp_path_factory.mktemp("run")
    return workdir, train(prepare_run(experiment, read_model(base)), workdir)


def test_only_captions_that_deny_change_and_the_workdir_is_read_as_any_other(run, base):
    workdir, returned = run
    model, plain = read_model(workdir), read_model(base)
    assert model.info["adapter"] == "nero"
    assert model.info["sha256"] != plain.info["sha256"]
    texts = [*PLAIN, *DENYING]
    found, start = (np.asarray(x.encode_text(x.tokenizer(texts))) for x in (model, plain))
    np.testing.assert_array_equal(found[: len(PLAIN)], start[: len(PLAIN)])
    assert (np.abs(found - start)[len(PLAIN) :].max(axis=1) > 1e-4).all()
    np.testing.assert_array_equal(found, returned.encode_text(returned.tokenizer(texts)))
    np.testing.assert_allclose(model.encode_query(texts), unit(found), atol=1e-6)

    order = [3, 0, 4, 1, 2, 5]  # the denying ones first, last and in between
    packed = model.encode_packed(in_one_row(model, [texts[x] for x in order]))
    np.testing.assert_allclose(packed[0, : len(order)], found[order], atol=1e-5)


def test_weights_of_zero_are_no_adapter_to_the_bit(mini):
    adapter = NERO.new(mini.params)
    tokens = jnp.asarray(np.where(np.arange(32) == 0, -1, 1) * mini.tokenizer(DENYING) - (np.arange(32) == 0))
    with_it = clip.encode_text(mini.config, NERO.adapt(mini.params, adapter), tokens)
    without = clip.encode_text(mini.config, mini.params, jnp.asarray(mini.tokenizer(DENYING)))
    np.testing.assert_array_equal(with_it, without)
    assert np.any(np.asarray(adapter["text"]["nero"]["down"]))


def test_a_checkpoint_holds_the_adapter_and_its_moments_alone(run, mini):
    arrays = 0
    for item in ("params", "training"):
        tree = ocp.PyTreeCheckpointHandler().metadata(run[0] / "checkpoints" / "3" / item).tree
        arrays += sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))
    numbers = 2 * 2 * mini.config.embed_dim
    assert 3 * numbers <= arrays < 3 * numbers + 10


def test_what_it_cannot_be_part_of(run, experiment, base, tmp_path, capsys):
    for to in ("negjax", "open_clip", "hf"):
        assert main(["convert", str(run[0]), str(tmp_path / to), "--to", to]) == 2
        message = capsys.readouterr().err
        assert "has the adapter nero, which computes beside the text tower and cannot be part of a" in message
        assert not (tmp_path / to).exists()
    with pytest.raises(NegjaxError, match=r"has the adapter nero, .* cannot be part of a mix of weights"):
        interpolate(read_model(base), read_model(run[0]), 0.5)
    with pytest.raises(NegjaxError, match=r"has the adapter nero, .* cannot be part of an exported model"):
        export(read_model(run[0]), tmp_path / "exported", ExportForm("stablehlo"), [], 0, [])
    with pytest.raises(
        NegjaxError, match=r"has the adapter nero, .* cannot be part of what a run starts from: use its"
    ):
        prepare_run(experiment, read_model(run[0]))
    other = tmp_path / "other"
    model = read_model(base)
    write_negjax(dataclasses.replace(model, params=init_params(model.config, 4)), other)
    with pytest.raises(NegjaxError, match="holds an adapter of other weights than those of"):
        read_model(run[0], base=str(other))
    wide = dataclasses.replace(experiment, nero=NeRo(rank=13))
    with pytest.raises(NegjaxError, match=r"config\.nero\.rank is 13, more than embeddings have \(12\): choose"):
        prepare_run(wide, model)
