"""Rotary positions against rotations of complex numbers; towers that have them, however they are computed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.config import Optim, Source
from negjax.errors import NegjaxError
from negjax.media.images import Preprocess
from negjax.models import clip
from negjax.models.architecture import from_dict, to_dict
from negjax.models.compute import Compute
from negjax.models.init import init_params
from negjax.models.presets import preset
from negjax.models.rotary import rotate
from negjax.models.timm_towers import eva, perception_encoder
from negjax.runtime.mesh import make_mesh, put_batch
from negjax.runtime.sharding import state_shardings
from negjax.training.encode import Towers
from negjax.training.optimizer import make_optimizer, trainable
from negjax.training.step import make_step, new_state

TOWERS = {
    "pe_core": perception_encoder(40, 10, 32, 2, 2, mlp_width=48),
    "eva02": eva(40, 10, 32, 2, 2, 48, "sub_norm"),
    "eva": eva(40, 10, 32, 2, 2, 48, "res_post_norm"),
}


def small(family: str, **changes):
    tiny = preset("tiny")
    text = dataclasses.replace(tiny.text, depth=1, width=16, heads=2, mlp_width=32)
    vision = dataclasses.replace(TOWERS[family], **changes)
    return dataclasses.replace(tiny, embed_dim=24, vision=vision, text=text, family=family)


def trained(config):
    """Parameters away from their first values, so that none goes unnoticed."""
    rng = np.random.default_rng(0)

    def change(leaf):
        scale = 0.1 if leaf.ndim < 2 else leaf.shape[0] ** -0.5
        return leaf + (scale * rng.normal(size=leaf.shape)).astype(np.float32)

    return jax.tree.map(change, init_params(config, 0))


@pytest.mark.parametrize("changes", [{}, {"rotary": "rows_first"}, {"class_token": False, "rotary_start": 0}])
def test_channels_are_complex_numbers_turned_by_row_and_column(changes):
    """Trained on 4 x 4 patches, used on 6 x 6; heads of 16 channels: four pairs for an axis."""
    vision = dataclasses.replace(TOWERS["pe_core"], image_size=60, **changes)
    x = np.random.default_rng(0).normal(size=(2, vision.tokens, 2, 16)).astype(np.float32)
    want = x.astype(np.float64)
    for row in range(6):
        for column in range(6):
            token = row * 6 + column + vision.class_token
            axes = (row, column) if vision.rotary == "rows_first" else (column, row)
            for axis, coordinate in enumerate(axes):
                for i in range(4):
                    angle = (coordinate + vision.rotary_start) / 6 * 4 * 10000 ** (-i / 4)
                    pair = slice(8 * axis + 2 * i, 8 * axis + 2 * i + 2)
                    number = x[:, token, :, pair] @ np.array([1, 1j]) * np.exp(1j * angle)
                    want[:, token, :, pair] = np.stack([number.real, number.imag], -1)
    np.testing.assert_allclose(rotate(jnp.asarray(x), vision), want, atol=1e-6)
    half = rotate(jnp.asarray(x, jnp.bfloat16), vision)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), want, atol=0.03)


def test_what_rotations_need_is_checked():
    for changes, message in (
        ({"width": 36, "pool_heads": 4}, "heads of a multiple of 4 channels: these have 18, and the rotary_grid is 4"),
        ({"rotary_grid": 0}, "rotary_grid is 0"),
        ({"rotary": "columns"}, "unknown vision rotary 'columns'; choose one of none, rows_first, columns_first"),
        ({"pool_heads": 5}, "vision width 32 is not divisible by 5 pool_heads"),
    ):
        with pytest.raises(NegjaxError, match=message):
            small("pe_core", **changes)


def test_checkpoints_from_before_rotary_positions():
    data = to_dict(preset("ViT-B-16-SigLIP"))
    for field in ("projection_bias", "pool_mlp_width", "rotary", "rotary_grid", "rotary_start", "block", "key_bias"):
        del data["vision"][field]
    assert from_dict(data) == preset("ViT-B-16-SigLIP")


@pytest.mark.slow
@pytest.mark.parametrize("how", [Compute(), Compute(remat="full", scan=True)], ids=["plain", "remat, scan"])
@pytest.mark.parametrize("family", TOWERS)
def test_a_sharded_step_is_the_step_of_one_device(family, how):
    config = small(family)
    params, rng = trained(config), np.random.default_rng(1)
    tokens = rng.integers(1, 49000, (8, 12)).astype(np.int32)
    batch = {"pairs": {"image": rng.integers(256, size=(8, 40, 40, 3), dtype=np.uint8), "text": tokens}}
    optimizer = make_optimizer(Optim(name="sgd", learning_rate=0.1, momentum=0.0, warmup_steps=0), 10, params)
    results, sources = {}, {"pairs": Source("a", 8, contrastive=1.0)}
    for name, mesh in (("one", make_mesh(jax.devices()[:1])), ("many", make_mesh(fsdp=2, tensor=2))):
        towers = Towers(config, Preprocess(size=40), how if name == "many" else Compute())
        step = make_step(sources, towers, optimizer, trainable(params, ()), mesh=mesh)
        state = new_state(params, optimizer)
        placed = jax.device_put(state, state_shardings(mesh, state))
        after, metrics = jax.jit(step)(placed, put_batch(mesh, batch), None)
        results[name] = clip.flatten_params(jax.device_get(after["params"])), float(metrics["gradient_norm"])
    (one, norm), (many, sharded_norm) = results["one"], results["many"]
    assert norm > 1e-3
    assert sharded_norm == pytest.approx(norm, rel=1e-4)
    for path, leaf in one.items():
        np.testing.assert_allclose(many[path], leaf, atol=2e-5, err_msg=path)
    qkv = "visual/transformer/blocks/0/attention/qkv/kernel"
    assert not np.array_equal(one[qkv], clip.flatten_params(params)[qkv])
