"""The running average of the parameters, read from a checkpoint without the rest of the state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from negjax.errors import NegjaxError
from negjax.runtime.checkpoint import Checkpoints


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Step 1 with an average, 2 without, 3 with parameters alone."""
    place = tmp_path_factory.mktemp("averages")
    params = {"visual": {"kernel": jnp.arange(12.0).reshape(3, 4)}, "logit_scale": jnp.float32(2.0)}
    state = {"params": params, "opt_state": optax.adamw(1e-3).init(params), "step": jnp.int32(1)}
    with Checkpoints(place) as checkpoints:
        checkpoints.save(1, state | {"ema": jax.tree.map(lambda p: p + 0.5, params)}, {})
        checkpoints.save(2, state, {})
        checkpoints.save(3, {"params": params}, {})
    return place


SHAPES = {"visual": {"kernel": jax.ShapeDtypeStruct((3, 4), jnp.float32)}}
SHAPES["logit_scale"] = jax.ShapeDtypeStruct((), jnp.float32)


def test_the_average_alone(folder):
    ema = Checkpoints(folder).restore_ema(1, SHAPES)
    assert jax.tree.structure(ema) == jax.tree.structure(SHAPES)
    np.testing.assert_array_equal(ema["visual"]["kernel"], np.arange(12.0).reshape(3, 4) + 0.5)
    assert ema["logit_scale"] == 2.5
    np.testing.assert_array_equal(Checkpoints(folder).restore_params(1, SHAPES)["logit_scale"], 2.0)


@pytest.mark.parametrize("step", [2, 3])
def test_a_checkpoint_without_one(folder, step):
    with pytest.raises(NegjaxError, match=rf"{folder}/{step} has no EMA of the weights: train with config\.optim\.ema"):
        Checkpoints(folder).restore_ema(step, SHAPES)


def test_another_model_and_another_step(folder):
    other = SHAPES | {"logit_scale": jax.ShapeDtypeStruct((2,), jnp.float32)}
    with pytest.raises(NegjaxError, match=r"another model or optimizer: 1 arrays differ, first ema/logit_scale"):
        Checkpoints(folder).restore_ema(1, other)
    with pytest.raises(NegjaxError, match="no checkpoint of step 4"):
        Checkpoints(folder).restore_ema(4, SHAPES)
