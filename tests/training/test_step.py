"""The training step: losses against NumPy, eight devices against one, and what may and may not change."""

import dataclasses
import math
import re
from functools import lru_cache

import jax
import numpy as np
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch, loss_and_metrics
from support.trees import unit

from negjax.config import Optim, Source
from negjax.errors import NegjaxError
from negjax.media.images import normalise
from negjax.models import clip
from negjax.models.architecture import VisionConfig
from negjax.models.compute import Compute
from negjax.runtime.mesh import make_mesh, put_batch, replicated
from negjax.training.encode import Towers
from negjax.training.optimizer import decays, make_optimizer, paths, schedule, trainable
from negjax.training.step import make_step, new_state

SOURCES = {
    "pairs": Source("a", 16, contrastive=0.7, sigmoid=0.3),
    "balanced": Source("b", 32, mcq=1.3),
}
SIGMOID = {"pairs": Source("a", 16, sigmoid=1.0)}
SOFTMAX = {"pairs": Source("a", 16, contrastive=1.0)}
GENTLE = Optim(learning_rate=2e-3, weight_decay=0.0)


@pytest.fixture(scope="module")
def batch() -> dict:
    return draw_batch(SOURCES)


def value_and_grad(config, sources: dict = SOURCES, compute: Compute = Compute(), mesh=None):

    def loss(params, batch):
        return loss_and_metrics(params, batch, sources, config, compute, mesh)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def on(mesh, params, batch):
    return jax.device_put(params, replicated(mesh)), put_batch(mesh, batch)


@pytest.fixture(scope="module")
def alone(config, params, batch):
    """Loss, metrics and gradients on one device."""
    (loss, metrics), grads = value_and_grad(config)(*on(make_mesh(jax.devices()[:1]), params, batch))
    return jax.device_get((loss, metrics, grads))


def test_losses_equal_numpy(config, params, batch, alone):
    """Through negjax's embeddings; everything after them in float64."""

    encode_image = jax.jit(lambda params, pixels: clip.encode_image(config, params, normalise(pixels, PREPROCESS)))
    encode_text = jax.jit(lambda params, ids: clip.encode_text(config, params, ids))

    def image(part):
        return unit(encode_image(params, part["image"]))

    def text(ids):
        return unit(encode_text(params, ids))

    def cross_entropy(logits, right):
        return np.mean([math.log(sum(np.exp(row - row[i]))) for row, i in zip(logits, right)])

    scale, bias = math.exp(params["logit_scale"]), float(params["logit_bias"])
    wanted = {}
    for name, source in SOURCES.items():
        part = batch[name]
        if "text" in part:
            cosines = image(part) @ text(part["text"]).T
            n = len(cosines)
            wanted[f"{name}/contrastive"] = 0.5 * (
                cross_entropy(scale * cosines, range(n)) + cross_entropy(scale * cosines.T, range(n))
            )
            wanted[f"{name}/contrastive_accuracy"] = np.mean(cosines.argmax(0) == np.arange(n))
        if source.sigmoid:
            pairs = [(1 if i == j else -1, cosines[i, j]) for i in range(n) for j in range(n)]
            wanted[f"{name}/sigmoid"] = sum(math.log1p(math.exp(-z * (scale * c + bias))) for z, c in pairs) / n
            wanted[f"{name}/sigmoid_accuracy"] = wanted[f"{name}/contrastive_accuracy"]
        if source.mcq:
            group = len(part["image"]) // len(part["options"])
            options = text(part["options"].reshape(-1, part["options"].shape[-1])).reshape(-1, 4, config.embed_dim)
            cosines = np.stack([options[i // group] @ x for i, x in enumerate(image(part))])
            wanted[f"{name}/mcq"] = cross_entropy(scale * cosines, part["answer"])
            wanted[f"{name}/mcq_accuracy"] = np.mean(cosines.argmax(1) == part["answer"])
    wanted["loss"] = sum(
        getattr(source, kind) * wanted[f"{name}/{kind}"]
        for name, source in SOURCES.items()
        for kind in ("contrastive", "sigmoid", "mcq")
        if getattr(source, kind)
    )
    loss, metrics, _ = alone
    assert metrics.keys() == wanted.keys()
    for name, value in wanted.items():
        assert metrics[name] == pytest.approx(value, rel=2e-5), name
    assert loss == metrics["loss"]


def test_the_text_tower_runs_once_for_captions_of_one_length(config, params, batch, alone):
    longer = {**batch, "pairs": {**batch["pairs"], "text": np.pad(batch["pairs"]["text"], ((0, 0), (0, 8)))}}
    one, two = (value_and_grad(config).lower(params, each).compile() for each in (longer, batch))
    assert one.as_text().count("dot(") < two.as_text().count("dot(")
    (loss, _), grads = one(params, longer)
    assert loss == pytest.approx(alone[0], rel=1e-6)
    assert_close(grads, alone[2], 2e-5)


def test_eight_devices_give_the_loss_and_gradients_of_one(config, params, batch, alone):
    assert jax.device_count() == 8
    compiled = value_and_grad(config, mesh=make_mesh()).lower(*on(make_mesh(), params, batch)).compile()
    # The images of both sources go through one tower, and yet no row moves to another device for it.
    assert not re.search("all-to-all|collective-permute", compiled.as_text())
    (loss, metrics), grads = compiled(*on(make_mesh(), params, batch))
    assert loss == pytest.approx(alone[0], rel=1e-6)
    assert {name: float(value) for name, value in metrics.items()} == pytest.approx(
        {name: float(value) for name, value in alone[1].items()}, rel=1e-5
    )
    assert_close(grads, alone[2], 2e-5)
    assert all(grad.sharding.is_fully_replicated for grad in jax.tree.leaves(grads))


@pytest.mark.slow
@pytest.mark.parametrize("remat", ["dots", "full"])
def test_remat_and_scan_change_nothing(config, params, batch, alone, remat):
    (loss, _), grads = value_and_grad(config, compute=Compute(remat=remat, scan=True))(params, batch)
    assert loss == pytest.approx(alone[0], rel=1e-6)
    assert_close(grads, alone[2], 1e-4)


@pytest.mark.slow
def test_remat_takes_less_memory_the_more_is_computed_again(config):
    """What the compiler plans for eight layers: everything kept, the linear layers' results, the blocks' inputs.

    In a loop over them: on a CPU the compiler finds in unrolled layers that they are computed twice, and keeps them.
    """
    tower = VisionConfig(image_size=32, patch_size=8, width=64, depth=8, heads=2, mlp_width=256, activation="gelu")
    deep = dataclasses.replace(config, vision=tower)
    image = jax.ShapeDtypeStruct((256, 32, 32, 3), np.float32)
    used = {}
    for remat in ("none", "dots", "full"):
        compute = Compute(remat=remat, scan=True)

        def loss(params, image, compute=compute):
            return clip.encode_image(deep, params, image, compute).sum()

        program = jax.jit(jax.grad(loss)).lower(clip.abstract_params(deep), image).compile()
        used[remat] = program.memory_analysis().temp_size_in_bytes
    assert used["full"] < 0.7 * used["dots"]
    assert used["dots"] < 0.6 * used["none"]


def test_bfloat16_is_close(config, params, batch, alone):
    (loss, _), grads = value_and_grad(config, compute=Compute(dtype="bfloat16"))(params, batch)
    assert loss == pytest.approx(alone[0], rel=0.02)
    assert loss != alone[0]
    flat, exact = (np.concatenate([np.ravel(g) for g in jax.tree.leaves(tree)]) for tree in (grads, alone[2]))
    assert flat.dtype == np.float32
    assert flat @ exact / np.linalg.norm(flat) / np.linalg.norm(exact) > 0.99


@lru_cache
def compiled(config, optim: Optim, sources: tuple, compute: Compute):
    """The optimizer for ten steps and the compiled step."""
    params = clip.abstract_params(config)
    optimizer = make_optimizer(optim, 10, params)
    learns = trainable(params, optim.freeze)
    return optimizer, jax.jit(make_step(dict(sources), Towers(config, PREPROCESS, compute), optimizer, learns))


def run(config, params, batch, optim: Optim, sources: dict, steps: int = 1, compute: Compute = Compute()):
    """The state and the metrics of each step."""
    optimizer, step = compiled(config, optim, tuple(sources.items()), compute)
    state, log = new_state(params, optimizer), []
    for _ in range(steps):
        state, metrics = step(state, batch)
        log.append(metrics)
    return jax.device_get((state, log))


def numpy_adamw(grads_of, params, optim: Optim, rates: list[float]):
    """Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) on kernels, embeddings and positions alone."""
    names = jax.tree.leaves(paths(params))
    leaves = [np.float64(leaf) for leaf in jax.tree.leaves(params)]
    first, second = [[np.zeros_like(leaf) for leaf in leaves] for _ in range(2)]
    for t, rate in enumerate(rates, 1):
        grads = [np.float64(g) for g in jax.tree.leaves(grads_of(leaves))]
        norm = math.sqrt(sum(float((g**2).sum()) for g in grads))
        for i, (name, g) in enumerate(zip(names, grads)):
            g = g * min(1.0, optim.clip_norm / norm)
            first[i] = optim.b1 * first[i] + (1 - optim.b1) * g
            second[i] = optim.b2 * second[i] + (1 - optim.b2) * g**2
            change = first[i] / (1 - optim.b1**t) / (np.sqrt(second[i] / (1 - optim.b2**t)) + optim.eps)
            if name.rsplit("/", 1)[-1] in ("kernel", "tokens", "positions"):
                change = change + optim.weight_decay * leaves[i]
            leaves[i] = leaves[i] - rate * change
    return names, leaves


def test_three_updates_equal_numpys_adamw(config, params, batch):
    """With warm-up, cosine, clipping and decay; large enough an epsilon that tiny gradients do not blow up noise."""
    optim = Optim(learning_rate=0.01, warmup_steps=1, weight_decay=0.3, clip_norm=0.5, eps=1e-4)
    gradients = value_and_grad(config, SIGMOID)  # whose logit scale is not clipped
    structure = jax.tree.structure(params)

    def grads_of(leaves):
        return gradients(jax.tree.unflatten(structure, [np.float32(leaf) for leaf in leaves]), batch)[1]

    rates = [0.0, 0.01, 0.01 * 0.5 * (1 + math.cos(math.pi / 9))]
    np.testing.assert_allclose([schedule(optim, 10)(i) for i in range(3)], rates, rtol=1e-6)
    names, wanted = numpy_adamw(grads_of, params, optim, rates)
    state, log = run(config, params, batch, optim, SIGMOID, steps=3)
    assert state["step"] == 3
    for name, got, right, before in zip(names, jax.tree.leaves(state["params"]), wanted, jax.tree.leaves(params)):
        np.testing.assert_allclose(got, right, atol=2e-5, err_msg=name)
        # The text tower's unused positions and the key biases, on which nothing depends, hardly move.
        assert np.abs(got - before).max() > 1e-5, name
    assert log[0]["gradient_norm"] > optim.clip_norm


def test_decay_leaves_out_biases_norms_class_token_and_scale(params):
    names, marked = jax.tree.leaves(paths(params)), jax.tree.leaves(decays(params))
    kept = {name for name, decay in zip(names, marked) if not decay}
    assert kept == {name for name in names if name.endswith(("bias", "norm", "scale", "class_token", "logit_bias"))}
    assert "visual/transformer/blocks/0/attention/qkv/bias" in kept


def test_frozen_parameters_stay_and_have_no_optimizer_state(config, params, batch):
    optim = Optim(learning_rate=0.01, freeze=("visual/.*", "text/tokens"))
    state, _ = run(config, params, batch, optim, SOFTMAX, steps=2)
    learned = jax.tree.leaves(trainable(params, optim.freeze))
    names = jax.tree.leaves(paths(params))
    assert learned == [not (name.startswith("visual/") or name == "text/tokens") for name in names]
    for name, learns, got, before in zip(names, learned, jax.tree.leaves(state["params"]), jax.tree.leaves(params)):
        assert np.array_equal(got, before) != (learns and name != "logit_bias"), name  # which this loss has no use for
    moments = sum(leaf.size for leaf in jax.tree.leaves(state["opt_state"]) if leaf.ndim)
    scalars = sum(leaf.size == 1 for leaf in jax.tree.leaves(params))
    assert moments == 2 * (sum(leaf.size for leaf, learns in zip(jax.tree.leaves(params), learned) if learns) - scalars)


@pytest.mark.parametrize("start", [math.log(100) + 1, -1.0])
def test_the_logit_scale_is_clipped_of_clip_alone_and_where_it_learns(config, mini, params, batch, start):
    changed = params | {"logit_scale": np.float32(start)}
    clips = {name: leaf for name, leaf in changed.items() if name != "logit_bias"}
    state, log = run(mini.config, clips, batch, GENTLE, SOFTMAX)
    assert state["params"]["logit_scale"] == pytest.approx(math.log(100) if start > 0 else 0.0)
    assert log[0]["logit_scale"] == pytest.approx(100 if start > 0 else 1.0, rel=1e-5)
    frozen = dataclasses.replace(GENTLE, freeze=("logit_scale",))
    assert run(mini.config, clips, batch, frozen, SOFTMAX)[0]["params"]["logit_scale"] == np.float32(start)
    for sources in (SIGMOID, SOFTMAX):
        state, _ = run(config, changed, batch, GENTLE, sources)
        assert state["params"]["logit_scale"] == pytest.approx(start, abs=2 * GENTLE.learning_rate)


@pytest.mark.slow
def test_steps_in_bfloat16_learn_as_those_in_float32(config, params, batch):
    losses = []
    for compute in (Compute(), Compute(dtype="bfloat16")):
        state, log = run(config, params, batch, GENTLE, SOFTMAX, steps=10, compute=compute)
        assert {leaf.dtype for leaf in jax.tree.leaves(state["params"])} == {np.dtype(np.float32)}
        losses.append([float(metrics["loss"]) for metrics in log])
    assert losses[0][-1] < 0.8 * losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)


def test_patterns_that_fit_nothing_and_too_long_a_warm_up(params):
    with pytest.raises(NegjaxError, match=r"config\.optim\.freeze: 'vision/\.\*' matches no parameter"):
        trainable(params, ("vision/.*",))
    with pytest.raises(NegjaxError, match=r"config\.optim\.freeze matches all parameters: leave some to train"):
        trainable(params, ("visual/.*", "text/.*", "logit_.*"))
    with pytest.raises(NegjaxError, match=r"warmup_steps is 10: it must be less than the 10 steps"):
        make_optimizer(Optim(warmup_steps=10), 10, params)
