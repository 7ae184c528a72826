"""Metrics that stay on the device until they are read."""

import jax.numpy as jnp

from negjax.training.pending import PendingMetrics


def test_metrics_are_read_once_and_say_whether_the_state_was_halted():
    pending = PendingMetrics()
    assert pending.take() is None
    assert not pending.halted()
    pending.hold(3, {"loss": jnp.float32(0.5), "halted": jnp.bool_(False)})
    assert not pending.halted()
    assert pending.take() == (3, {"loss": 0.5})
    assert pending.take() is None
    pending.hold(4, {"loss": jnp.float32(jnp.nan), "halted": jnp.bool_(True)})
    assert pending.halted()
    pending.drop()
    assert not pending.halted()
    assert pending.take() is None
