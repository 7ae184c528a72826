"""The last block for the pooled token alone: the same output and gradients as of all tokens."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.models import clip
from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.compute import Compute
from negjax.models.init import init_params

VISION = VisionConfig(32, 8, 16, 3, 2, 40, "gelu")
TEXT = TextConfig(9, 30, 16, 3, 2, 40, "gelu")
ENCODER = TextEncoderConfig(9, 30, 16, 3, 2, 40, pad_id=0)
VISIONS = {form: dataclasses.replace(VISION, block=form) for form in ("pre_norm", "sub_norm", "res_post_norm")}
VISIONS["no key bias"] = dataclasses.replace(VISION, key_bias=False)
TEXTS = {
    "argmax": TEXT,
    "eos": dataclasses.replace(TEXT, pool="eos", end_token=29),
    "last": dataclasses.replace(TEXT, pool="last", causal=False),
    "class": dataclasses.replace(TEXT, pool="class", pad_token=0),
    "encoder": dataclasses.replace(ENCODER, pool="first"),
    "encoder, norms first": dataclasses.replace(ENCODER, pool="first", norm_first=True),
}
TOKENS = np.array([[1, 5, 29, 0, 0, 0, 0, 0, 0], [1, 3, 4, 9, 8, 6, 2, 7, 29]], np.int32)
TOKEN = {"argmax": (2, 8), "eos": (2, 8), "last": (8, 8), "class": (9, 9)}  # of each caption, by its tower


def compare(tower, inputs, tokens, mask):
    """tower: parameters -> the tower."""

    def output(params, alone):
        transformer = tower(params).transformer
        if alone:
            at = tokens[0] if len(set(tokens)) == 1 else jnp.asarray(tokens)[:, None]
            return transformer(inputs, mask, at)[:, 0]
        return transformer(inputs, mask)[np.arange(len(tokens)), np.asarray(tokens)]

    def square(params, alone):
        y = output(params, alone)
        return (y * jnp.arange(y.size).reshape(y.shape)).sum(), y

    def run(params):
        wanted, alone = (jax.grad(square, has_aux=True)(params, flag) for flag in (False, True))
        return wanted, alone

    return run


def check(config, params, tower_name, inputs, tokens, mask, compute):
    run = compare(lambda p: getattr(clip.module(config, p, compute), tower_name), inputs, tokens, mask)
    (wanted_gradient, wanted), (gradient, found) = jax.jit(run)(params)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for path, leaf in clip.flatten_params(wanted_gradient).items():
        bound = 1e-5 * max(1, np.abs(leaf).max())
        np.testing.assert_allclose(clip.flatten_params(gradient)[path], leaf, rtol=1e-4, atol=bound, err_msg=path)


@pytest.mark.parametrize("compute", [Compute(), Compute(scan=True, remat="dots")], ids=["plain", "scan and remat"])
@pytest.mark.parametrize("form", VISIONS)
def test_image_towers(form, compute):
    family = "eva02" if form == "sub_norm" else "clip"  # of the initial values
    config = CLIPConfig("custom", 12, VISIONS[form], TEXT, family=family)
    inputs = np.random.default_rng(0).normal(size=(2, 17, 16)).astype(np.float32)
    check(config, init_params(config, 0), "visual", inputs, (0, 0), None, compute)


@pytest.mark.parametrize("pool", TEXTS)
def test_text_towers(pool):
    config = CLIPConfig("custom", 12, VISION, TEXTS[pool])
    params = init_params(config, 0)
    tower = clip.module(config, params).text
    mask = (TOKENS != 0)[:, None] if pool.startswith("encoder") else tower.key_mask(jnp.asarray(TOKENS))
    tokens = TOKEN.get(pool, (0, 0))
    if pool in TOKEN:
        at = np.broadcast_to(tower.pooled_token(jnp.asarray(TOKENS)), (2, 1))[:, 0] % (9 + (pool == "class"))
        assert tuple(at) == tokens
    check(config, params, "text", tower.embed(jnp.asarray(TOKENS)), tokens, mask, Compute())
