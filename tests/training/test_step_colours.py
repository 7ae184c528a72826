"""Colours that change in the step: as if the images had been changed before, in micro-batches and on eight devices."""

from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from support.drawn_batches import PREPROCESS, assert_close, draw_batch

from negjax.config import LossSpec, Source
from negjax.media.augment import apply_color_jitter, jitter_params
from negjax.models.compute import Compute
from negjax.runtime.mesh import make_mesh, put_batch, replicated
from negjax.training.encode import Towers
from negjax.training.guard import with_hold
from negjax.training.optimizer import trainable
from negjax.training.step import make_step, new_state

COLOURED = Source("a", 16, contrastive=1.0, color_jitter=(0.5, 0.5, 0.5, 0.2), gray_scale_prob=0.3)
SOURCES = {"coloured": COLOURED, "plain": Source("b", 16, mcq=1.0)}
KEEP_GRADIENTS = with_hold(optax.trace(0.0))


@pytest.fixture(scope="module")
def batch() -> dict:
    made = draw_batch(SOURCES)
    how = jitter_params(COLOURED, np.random.default_rng(2).random((16, 7)))
    return made | {"coloured": made["coloured"] | {"augment": how}}


def gradients(config, params, batch, sources, shards: int = 1, micro_batches: int = 1):
    mesh = make_mesh(jax.devices()[:shards])
    learns = trainable(params, ())
    loss = LossSpec(micro_batches=micro_batches)
    step = make_step(sources, Towers(config, PREPROCESS, Compute()), KEEP_GRADIENTS, learns, mesh=mesh, loss=loss)
    state = jax.device_put(jax.device_get(new_state(params, KEEP_GRADIENTS)), replicated(mesh))
    state, metrics = jax.jit(step)(state, put_batch(mesh, batch))
    return jax.device_get((state["opt_state"].trace, metrics))


@pytest.fixture(scope="module")
def changed_before(config, params, batch):
    """Gradients and metrics of a step on images that were changed before it."""
    coloured = batch["coloured"]
    image = np.asarray(apply_color_jitter(coloured["image"], coloured["augment"]))
    assert not np.array_equal(image, coloured["image"])
    plain = {"coloured": replace(COLOURED, color_jitter=(0.0, 0.0, 0.0, 0.0), gray_scale_prob=0.0)}
    before = {name: value for name, value in coloured.items() if name != "augment"} | {"image": image}
    return gradients(config, params, batch | {"coloured": before}, SOURCES | plain)


@pytest.mark.slow
@pytest.mark.parametrize(("shards", "micro_batches"), [(1, 1), (1, 4), (8, 2)])
def test_as_if_changed_before(config, params, batch, changed_before, shards, micro_batches):
    found = gradients(config, params, batch, SOURCES, shards, micro_batches)
    assert found[1]["loss"] == pytest.approx(changed_before[1]["loss"], rel=1e-4)
    assert_close(found[0], changed_before[0], 1e-3)  # a pixel may be rounded the other way
