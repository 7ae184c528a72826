"""Optimizers, schedules and factors against NumPy and against optax's own optimizers."""

import dataclasses
import math
import re

import jax
import numpy as np
import optax
import pytest

from negjax.config import OPTIMIZERS, Optim
from negjax.config_file import build
from negjax.errors import NegjaxError
from negjax.models.init import init_params
from negjax.training.optimizer import decays, factors, make_optimizer, paths, schedule, trainable

STEPS = 8
WARM = {"learning_rate": 0.01, "warmup_steps": 2, "weight_decay": 0.3}
QKV = "visual/transformer/blocks/0/attention/qkv/kernel"
UP = "visual/transformer/blocks/1/up/kernel"


# One parameter of each kind, for compiling takes a while for each.
KINDS = r"logit_scale|.*/(qkv/kernel|up/kernel|patch/kernel|norm_(post|final|pre)/scale|projection/kernel|norm1/bias)"
KINDS += r"|visual/class_token|text/tokens|text/positions"


@pytest.fixture(scope="module")
def whole(config) -> dict:
    """Two towers wide enough that Adafactor has something to factor."""
    vision = dataclasses.replace(config.vision, width=132, mlp_width=128)
    text = dataclasses.replace(config.text, vocab_size=40)
    return init_params(dataclasses.replace(config, vision=vision, text=text), 0)


@pytest.fixture(scope="module")
def small(whole) -> dict:
    kept = jax.tree.map(lambda name, leaf: leaf if re.fullmatch(KINDS, name) else None, paths(whole), whole)
    return prune(kept)


def prune(tree: dict) -> dict:
    pruned = {key: prune(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in pruned.items() if isinstance(value, np.ndarray) or value}


@pytest.fixture(scope="module")
def grads(small) -> list[dict]:
    rng = np.random.default_rng(3)
    return [jax.tree.map(lambda p: np.float32(rng.normal(size=p.shape)), small) for _ in range(4)]


def run(optimizer: optax.GradientTransformation, params: dict, grads: list[dict]) -> list[dict]:
    """The updates of each step, path -> array, the parameters moving along."""

    def step(params, state, gradients):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, updates

    step = jax.jit(step, compiler_options={"xla_backend_optimization_level": 0})
    state, found = jax.jit(optimizer.init)(params), []
    for each in grads:
        params, state, updates = step(params, state, each)
        found.append(by_path(updates))
    return found


def by_path(tree: dict) -> dict[str, np.ndarray]:
    return dict(zip(jax.tree.leaves(paths(tree)), jax.tree.leaves(jax.device_get(tree))))


def assert_close(found: list[dict], wanted: list[dict], **tolerance) -> None:
    assert len(found) == len(wanted)
    for got, right in zip(found, wanted):
        assert got.keys() == right.keys()
        for name in right:
            np.testing.assert_allclose(got[name], right[name], **{"rtol": 1e-5, "atol": 1e-8} | tolerance, err_msg=name)


def clipped(optimizer: optax.GradientTransformation, norm: float = 1.0) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(norm), optimizer)


@pytest.mark.parametrize("name", ["adamw", "lion"])
def test_adamw_and_lion_are_those_of_optax(small, grads, name):
    optim = Optim(name=name, **WARM)
    own = {key: getattr(optim, key) for key in OPTIMIZERS[name]}
    rate = optax.warmup_cosine_decay_schedule(0.0, 0.01, 2, STEPS)
    plain = getattr(optax, name)(rate, **own, weight_decay=0.3, mask=decays)
    found, wanted = run(make_optimizer(optim, STEPS, small), small, grads), run(clipped(plain), small, grads)
    # The factor of the clipping and AdamW's corrections of bias are multiplied in another order: a few units in the
    # last place.
    assert_close(found, wanted, rtol=5e-7, atol=3e-9)
    assert not any(update.any() for update in found[0].values())  # the warm-up starts at 0
    assert all(update.any() for update in found[1].values())


def test_adafactor_is_optaxs_without_scaling_by_size(small, grads):
    optim = Optim(name="adafactor", learning_rate=0.01, schedule="constant", weight_decay=0.0)
    plain = optax.adafactor(0.01, multiply_by_parameter_scale=False, momentum=0.9)
    optimizer = make_optimizer(optim, STEPS, small)
    assert_close(run(optimizer, small, grads), run(clipped(plain), small, grads), rtol=1e-4)
    held = sum(leaf.size for leaf in jax.tree.leaves(optimizer.init(small)))
    size = sum(leaf.size for leaf in jax.tree.leaves(small))
    assert size < held < 1.7 * size  # momentum whole, most of the second moment in rows and columns


def test_adafactors_second_moment_decays_by_b2_at_most_and_its_weights_by_the_rate(small, grads):
    optim = Optim(
        name="adafactor", learning_rate=0.01, schedule="constant", weight_decay=0.5, b1=0, b2=0.3, clip_norm=0
    )
    found = run(make_optimizer(optim, STEPS, small), small, grads[:2])
    for name, decay in (("visual/norm_post/scale", 0.0), ("visual/patch/kernel", 0.5)):
        before = by_path(small)[name]
        second = np.zeros_like(before, np.float64)
        for step, rate in enumerate((0.0, 0.3)):  # 1 - 2^-0.8 = 0.43 is above b2
            gradient = np.float64(by_path(grads[step])[name])
            second = rate * second + (1 - rate) * gradient**2
            change = gradient / np.sqrt(second)
            change /= max(1.0, math.sqrt((change**2).mean()))
            wanted = -0.01 * (change + decay * before)
            np.testing.assert_allclose(found[step][name], wanted, rtol=1e-4, atol=1e-7)
            before = before + wanted


def orthogonal(matrix: np.ndarray) -> np.ndarray:
    """Muon's five Newton-Schulz iterations, in float64 (Jordan et al. 2024)."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (np.linalg.norm(x) + 1e-8)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def test_muon_on_linear_kernels_and_adamw_on_the_rest(small, grads):
    optim = Optim(name="muon", learning_rate=0.01, schedule="constant", weight_decay=0.3, clip_norm=0.0)
    (found,) = run(make_optimizer(optim, STEPS, small), small, grads[:1])
    adamw = dataclasses.replace(optim, name="adamw", momentum=None)
    (others,) = run(make_optimizer(adamw, STEPS, small), small, grads[:1])
    before, gradient = by_path(small), {name: np.float64(g) for name, g in by_path(grads[0]).items()}
    linear = {name for name in before if re.search(r"(qkv|out|up|down|projection)/kernel$", name)}
    assert {QKV, UP, "text/projection/kernel"} < linear
    for name in before:
        if name not in linear:
            np.testing.assert_allclose(found[name], others[name], rtol=1e-5, err_msg=name)
            continue
        # The first step's momentum with Nesterov's look ahead is a multiple of the gradient, which makes no difference.
        if before[name].ndim == 3:
            direction = np.stack([orthogonal(gradient[name][:, i]) for i in range(3)], axis=1)
        else:
            direction = orthogonal(gradient[name])
        size = 0.2 * math.sqrt(max(before[name].shape[0], before[name].shape[-1]))
        wanted = -0.01 * (size * direction + 0.3 * before[name])
        np.testing.assert_allclose(found[name], wanted, atol=2e-6, err_msg=name)
    assert np.sqrt(np.square(found[UP]).mean()) == pytest.approx(0.01 * 0.2, rel=0.3)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_with_momentum_and_decoupled_decay(small, grads, momentum):
    optim = Optim(name="sgd", schedule="linear", momentum=momentum, **WARM)
    found = run(make_optimizer(optim, STEPS, small), small, grads)
    rates = [0, 0.005, 0.01, 0.01 * 5 / 6]
    leaves = {name: np.float64(leaf) for name, leaf in by_path(small).items()}
    trace = dict.fromkeys(leaves, 0.0)
    for step, rate in enumerate(rates):
        gradients = {name: np.float64(g) for name, g in by_path(grads[step]).items()}
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        for name, g in gradients.items():
            trace[name] = momentum * trace[name] + g / norm
            decay = 0.3 if name.rsplit("/", 1)[-1] in ("kernel", "tokens", "positions") else 0.0
            wanted = -rate * (trace[name] + decay * leaves[name])
            np.testing.assert_allclose(found[step][name], wanted, rtol=1e-4, atol=1e-8, err_msg=name)
            leaves[name] = leaves[name] + wanted


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_states_are_float32_and_only_of_what_learns(small, name):
    state = make_optimizer(Optim(name=name, freeze=("visual/.*", "text/tokens")), STEPS, small).init(small)
    arrays = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim]
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} <= {np.dtype(np.float32), np.dtype(np.int32)}
    text = sum(leaf.size for leaf in jax.tree.leaves(small["text"])) - small["text"]["tokens"].size
    sizes = {"adamw": 2 * text, "lion": text, "sgd": text}
    assert sum(leaf.size for leaf in arrays) < 2 * text + 100
    if name in sizes:
        assert sum(leaf.size for leaf in arrays) == sizes[name]


def test_schedules():
    at = range(10)
    optim = Optim(learning_rate=0.4, warmup_steps=4)
    warm = [0.0, 0.1, 0.2, 0.3]
    after = {
        "cosine": [0.2 * (1 + math.cos(math.pi * i / 6)) for i in range(6)],
        "linear": [0.4 * (1 - i / 6) for i in range(6)],
        "constant": [0.4] * 6,
    }
    for name, wanted in after.items():
        rate = schedule(dataclasses.replace(optim, schedule=name), 10)
        np.testing.assert_allclose([rate(i) for i in at], warm + wanted, rtol=1e-6)
        cold = schedule(Optim(learning_rate=0.4, schedule=name), 6)
        np.testing.assert_allclose([cold(i) for i in range(6)], wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "muon", "sgd"])
def test_updates_are_the_plain_ones_times_the_factors(small, grads, name):
    """The towers have two blocks and one, the head and the logit scale factor 1."""
    plain = Optim(name=name, learning_rate=0.01, schedule="constant", freeze=("text/positions",))
    lr_factors = (("visual/patch/.*", 3.0), (r"visual/.*", 0.5), (r"text/tokens|logit_scale", 0.25))
    with_factors = dataclasses.replace(plain, lr_factors=lr_factors, layer_decay=0.8)
    (found,), (before,) = (
        run(make_optimizer(optim, STEPS, small), small, grads[:1]) for optim in (with_factors, plain)
    )
    for path, update in found.items():
        if path.startswith("visual/"):
            given = 3.0 if path.startswith("visual/patch") else 0.5
            block = re.search(r"blocks/(\d)", path)
            above = 2 - int(block[1]) if block else 0 if re.search("norm_post|projection", path) else 3
        elif path.startswith("text/"):
            given = 0.25 if path == "text/tokens" else 1.0
            above = 1 if "blocks/0" in path else 0 if re.search("norm_final|projection", path) else 2
        else:
            given, above = (0.25 if path == "logit_scale" else 1.0), 0
        np.testing.assert_allclose(update, given * 0.8**above * before[path], rtol=1e-6, err_msg=path)
        assert update.any() == (path != "text/positions"), path


def test_layers_are_counted_from_the_top(whole):
    found = by_path(factors(whole, Optim(layer_decay=0.5)))
    wanted = {
        "visual/projection/kernel": 1.0,
        "visual/norm_post/scale": 1.0,
        "visual/transformer/blocks/1/norm1/bias": 0.5,
        "visual/transformer/blocks/0/down/kernel": 0.25,
        **dict.fromkeys(("visual/norm_pre/scale", "visual/positions", "visual/class_token"), 0.125),
        "visual/patch/kernel": 0.125,
        "text/norm_final/bias": 1.0,
        "text/transformer/blocks/0/up/bias": 0.5,
        "text/tokens": 0.25,
        "logit_scale": 1.0,
    }
    assert {name: found[name] for name in wanted} == wanted
    assert set(by_path(factors(whole, Optim())).values()) == {1.0}


def test_patterns_that_fit_nothing(small):
    with pytest.raises(NegjaxError, match=r"config\.optim\.freeze: 'vision/\.\*' matches no parameter"):
        trainable(small, ("vision/.*",))
    for lr_factors in ((("vision/.*", 0.1),), (("visual/.*", 0.1), ("visual/patch/.*", 0.1))):
        wrong = re.escape(f"config.optim.lr_factors: {lr_factors[-1][0]!r} matches no parameter")
        with pytest.raises(NegjaxError, match=wrong):
            make_optimizer(Optim(lr_factors=lr_factors), STEPS, small)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "adam"}, r"config\.name is 'adam': it must be adamw or lion or adafactor or muon or sgd"),
        ({"name": "sgd", "b1": 0.9}, r"config\.optim\.b1 is given, but sgd has only momentum: leave it out"),
        ({"name": "lion", "eps": 1e-6}, r"config\.optim\.eps is given, but lion has only b1, b2: leave it out"),
        ({"momentum": 0.9}, r"config\.optim\.momentum is given, but adamw has only b1, b2, eps"),
        ({"b2": 1.0}, r"config\.optim\.b2 is 1\.0: it must be at least 0 and below 1"),
        ({"ema": 1.5}, r"config\.optim\.ema is 1\.5: it must be at least 0 and below 1"),
        ({"learning_rate": 0.0}, r"config\.optim\.learning_rate is 0\.0: it must be positive and finite"),
        ({"learning_rate": math.inf}, r"config\.optim\.learning_rate is inf: it must be positive and finite"),
        (
            {"freeze": ["visual/("]},
            r"config\.optim\.freeze: 'visual/\(' is not a valid regular expression \(missing \)",
        ),
        (
            {"lr_factors": [["*", 2.0]]},
            r"config\.optim\.lr_factors: '\*' is not a valid regular expression \(nothing to repeat",
        ),
        ({"weight_decay": -1.0}, r"config\.optim\.weight_decay is -1\.0: it must not be negative"),
        ({"layer_decay": 0.0}, r"config\.optim\.layer_decay is 0\.0: it must be above 0"),
        ({"spike_factor": 0.5}, r"config\.optim\.spike_factor is 0\.5: it must be above 1, or 0"),
        ({"schedule": "step"}, r"config\.schedule is 'step': it must be cosine or linear or constant"),
        ({"lr_factors": [["a", 0.0]]}, r"config\.optim\.lr_factors: 'a' has 0\.0: it must be positive and finite"),
        ({"lr_factors": [["a"]]}, r"config\.lr_factors\[0\] is \['a'\]: it must have 2 entries"),
        ({"lr_factors": [["a", "b"]]}, r"config\.lr_factors\[0\]\[1\] is 'b': it must be of type float"),
    ],
)
def test_wrong_settings(given, message):
    with pytest.raises(NegjaxError, match=message):
        build(Optim, given)
