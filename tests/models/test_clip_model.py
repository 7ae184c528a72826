"""The towers against an independent NumPy forward pass, and every `Compute` against the default."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.models import clip
from negjax.models.architecture import TextConfig, VisionConfig, from_dict, to_dict, with_activation
from negjax.models.compute import Compute
from negjax.models.init import init_params
from negjax.models.presets import PRESETS, preset

SMALL = dataclasses.replace(
    preset("tiny"),
    name="test",
    embed_dim=12,
    vision=VisionConfig(image_size=12, patch_size=4, width=24, depth=2, heads=3, mlp_width=40, activation="gelu"),
    text=TextConfig(context_length=16, vocab_size=50, width=16, depth=2, heads=2, mlp_width=30, activation="gelu"),
)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(3, 12, 12, 3)).astype(np.float32)
    text = np.zeros((3, 16), np.int32)
    for row, length in zip(text, (5, 16, 9)):
        row[:length] = [48, *rng.integers(1, 48, length - 2), 49]
    return image, text


def random_params(config):
    """Every parameter different from its neutral value, so that none goes unnoticed."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: p + 0.1 * rng.normal(size=p.shape).astype(np.float32), init_params(config, 0))


def norm(x, p, eps):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * p["scale"] + p["bias"]


def act(x, name):
    if name == "quick_gelu":
        return x / (1 + np.exp(-1.702 * x))
    if name == "gelu_tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def transformer(x, p, heads, causal, activation, eps):
    """x [T, D], one sequence at a time, one head at a time."""
    length, width = x.shape
    for i in range(len(p["blocks"])):
        block = p["blocks"][str(i)]
        h = norm(x, block["norm1"], eps)
        qkv = block["attention"]["qkv"]
        q, k, v = (h @ qkv["kernel"][:, j] + qkv["bias"][j] for j in range(3))
        mixed = np.zeros_like(x)
        for head in range(heads):
            part = slice(head * width // heads, (head + 1) * width // heads)
            scores = q[:, part] @ k[:, part].T / math.sqrt(width // heads)
            if causal:
                scores[np.triu_indices(length, 1)] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[:, part] = weights / weights.sum(-1, keepdims=True) @ v[:, part]
        x = x + mixed @ block["attention"]["out"]["kernel"] + block["attention"]["out"]["bias"]
        h = act(norm(x, block["norm2"], eps) @ block["up"]["kernel"] + block["up"]["bias"], activation)
        x = x + h @ block["down"]["kernel"] + block["down"]["bias"]
    return x


def numpy_image(config, params, image):
    p, size, eps = params["visual"], config.vision.patch_size, config.vision.layer_norm_eps
    rows = []
    for picture in image:
        tokens = [p["class_token"]]
        for top in range(0, picture.shape[0], size):
            for left in range(0, picture.shape[1], size):
                patch = picture[top : top + size, left : left + size]
                tokens.append(np.einsum("hwc,hwcd->d", patch, p["patch"]["kernel"]))
        x = norm(np.stack(tokens) + p["positions"], p["norm_pre"], eps)
        x = transformer(x, p["transformer"], config.vision.heads, False, config.vision.activation, eps)
        rows.append(norm(x[0], p["norm_post"], eps) @ p["projection"]["kernel"])
    return np.stack(rows)


def numpy_text(config, params, text):
    p, eps = params["text"], config.text.layer_norm_eps
    rows = []
    for ids in text:
        x = p["tokens"][ids] + p["positions"]
        x = transformer(x, p["transformer"], config.text.heads, True, config.text.activation, eps)
        rows.append(norm(x[list(ids).index(49)], p["norm_final"], eps) @ p["projection"]["kernel"])
    return np.stack(rows)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "quick_gelu", "quick_gelu/gelu"])
def test_towers_equal_numpy(inputs, activation):
    config = with_activation(SMALL, activation)
    params, (image, text) = random_params(config), inputs
    wide = jax.tree.map(np.float64, params)
    with jax.default_matmul_precision("float32"):
        np.testing.assert_allclose(
            clip.encode_image(config, params, image), numpy_image(config, wide, image), atol=2e-5, rtol=1e-5
        )
        np.testing.assert_allclose(
            clip.encode_text(config, params, text), numpy_text(config, wide, text), atol=2e-5, rtol=1e-5
        )


def test_activation_matters(inputs):
    params, (image, _) = random_params(SMALL), inputs
    quick = with_activation(SMALL, "quick_gelu")
    difference = clip.encode_image(quick, params, image) - clip.encode_image(SMALL, params, image)
    assert np.abs(difference).max() > 1e-3


def test_more_than_ten_blocks_run_in_order(inputs):
    """Names sorted as text put block 10 before block 2."""
    deep = dataclasses.replace(
        SMALL, vision=dataclasses.replace(SMALL.vision, depth=12), text=dataclasses.replace(SMALL.text, depth=12)
    )
    params, (image, text) = random_params(deep), inputs
    wide = jax.tree.map(np.float64, params)
    with jax.default_matmul_precision("float32"):
        for compute in (Compute(), Compute(scan=True)):
            np.testing.assert_allclose(
                clip.encode_image(deep, params, image, compute), numpy_image(deep, wide, image), atol=2e-4, rtol=1e-4
            )
            np.testing.assert_allclose(
                clip.encode_text(deep, params, text, compute), numpy_text(deep, wide, text), atol=2e-4, rtol=1e-4
            )


def test_padding_after_the_end_token_changes_nothing(inputs):
    params, (_, text) = random_params(SMALL), inputs
    whole = clip.encode_text(SMALL, params, text)
    np.testing.assert_allclose(clip.encode_text(SMALL, params, text[:1, :5]), whole[:1], atol=1e-6)
    np.testing.assert_allclose(clip.encode_text(SMALL, params, text[2:, :9]), whole[2:], atol=1e-6)
    noise = text.copy()
    noise[0, 5:] = 7
    np.testing.assert_allclose(clip.encode_text(SMALL, params, noise)[0], whole[0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("compute", [Compute(scan=True), Compute(remat="full"), Compute(scan=True, remat="dots")])
def test_scan_and_remat_change_neither_values_nor_gradients(inputs, compute):
    params, (image, text) = random_params(SMALL), inputs

    def total(p, how):
        return jnp.sum(clip.encode_image(SMALL, p, image, how) ** 2) + jnp.sum(
            clip.encode_text(SMALL, p, text, how) ** 2
        )

    plain, other = (jax.value_and_grad(total)(params, how) for how in (Compute(), compute))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), plain, other)


def test_bfloat16_stays_close_and_returns_float32(inputs):
    params, (image, _) = random_params(SMALL), inputs
    exact = clip.encode_image(SMALL, params, image)
    rough = clip.encode_image(SMALL, params, image, Compute(dtype="bfloat16"))
    assert rough.dtype == jnp.float32
    cosines = np.sum(exact * rough, -1) / np.linalg.norm(exact, axis=-1) / np.linalg.norm(rough, axis=-1)
    assert cosines.min() > 0.99
    assert np.abs(exact - rough).max() > 0


# Parameters as PyTorch counts them for open_clip's models (open_clip's docs/model_profile.csv, in millions).
@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("ViT-B-32", 151.28),
        ("ViT-B-16", 149.62),
        ("ViT-L-14", 427.62),
        ("ViT-L-14-336", 427.94),
        ("ViT-H-14", 986.11),
        ("ViT-g-14", 1366.68),
        ("ViT-bigG-14", 2539.57),
    ],
)
def test_presets_have_the_published_size(name, millions):
    leaves = jax.tree.leaves(clip.abstract_params(preset(name)))
    assert sum(math.prod(leaf.shape) for leaf in leaves) / 1e6 == pytest.approx(millions, abs=0.006)


def test_initial_weights_have_open_clips_spread_and_depend_on_the_seed_alone():
    params = init_params(preset("small"), 3)
    text = params["text"]
    assert np.std(text["tokens"]) == pytest.approx(0.02, rel=0.01)
    assert np.std(text["positions"]) == pytest.approx(0.01, rel=0.02)
    block = text["transformer"]["blocks"]["0"]
    assert np.std(block["attention"]["qkv"]["kernel"]) == pytest.approx(192**-0.5, rel=0.02)
    assert np.std(block["attention"]["out"]["kernel"]) == pytest.approx(192**-0.5 * 8**-0.5, rel=0.02)
    assert np.std(block["up"]["kernel"]) == pytest.approx(384**-0.5, rel=0.02)
    assert np.abs(params["visual"]["patch"]["kernel"]).max() == pytest.approx((3 * 16 * 16) ** -0.5, rel=0.01)
    assert params["logit_scale"] == pytest.approx(math.log(1 / 0.07))
    again, other = init_params(preset("small"), 3), init_params(preset("small"), 4)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(again)))
    assert not np.array_equal(text["tokens"], other["text"]["tokens"])


def test_presets_by_name():
    assert preset("ViT-B-32").activation == "gelu"
    assert preset("ViT-B-32-quickgelu").activation == "quick_gelu"
    assert all(from_dict(to_dict(config)) == config for config in PRESETS.values())
    with pytest.raises(NegjaxError, match="ViT-B-32"):
        preset("ViT-B-33")
    with pytest.raises(NegjaxError, match="swish"):
        with_activation(SMALL, "swish")


def test_a_caption_longer_than_the_context_is_an_error():
    with pytest.raises(ValueError, match="do not fit"):
        clip.encode_text(SMALL, init_params(SMALL, 0), np.ones((1, 17), np.int32))
