"""The running average of the parameters, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from negjax.training.averages import ema_update, new_ema


def test_the_average_equals_numpys():
    rng = np.random.default_rng(0)
    params = [np.float32(rng.normal(size=(3, 2))) for _ in range(120)]
    update = jax.jit(lambda ema, p, step: ema_update(ema, p, 0.9, step))
    ema, wanted, rates = new_ema({"a": {"b": params[0]}}), np.float64(params[0]), []
    for step, each in enumerate(params[1:], 1):
        ema = update(ema, {"a": {"b": each}}, jnp.int32(step))
        rates.append(min(0.9, (1 + step) / (10 + step)))
        wanted = rates[-1] * wanted + (1 - rates[-1]) * np.float64(each)
        np.testing.assert_allclose(ema["a"]["b"], wanted, atol=1e-6)
    assert rates[0] == 2 / 11
    assert rates[78] < rates[79] == rates[-1] == 0.9


def test_what_does_not_move_stays_to_the_bit():
    params = {"frozen": jnp.float32(np.random.default_rng(1).normal(size=1000))}
    ema = new_ema(params)
    for step in range(1, 20):
        ema = ema_update(ema, params, 0.99, step)
    assert np.asarray(ema["frozen"]).tobytes() == np.asarray(params["frozen"]).tobytes()


def test_the_first_average_is_a_float32_copy_that_may_be_donated_beside_the_parameters():
    params = {"a": jnp.arange(4.0), "half": jnp.ones(3, jnp.bfloat16)}
    state = {"params": params, "ema": new_ema(params)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state["ema"])} == {jnp.dtype(jnp.float32)}
    step = jax.jit(
        lambda s: {"params": s["params"], "ema": ema_update(s["ema"], s["params"], 0.5, 1)}, donate_argnums=0
    )
    after = step(state)
    np.testing.assert_array_equal(after["ema"]["a"], np.arange(4.0))
    assert after["ema"]["half"].dtype == jnp.float32
