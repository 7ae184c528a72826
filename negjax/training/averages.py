"""The exponential moving average (EMA) of the parameters."""

import jax
import jax.numpy as jnp

from negjax.models.clip import Params


def new_ema(params: Params) -> Params:
    """The average before the first step: a copy of the parameters, in float32."""
    return jax.tree.map(lambda p: jnp.array(p, jnp.float32), params)


def ema_update(ema: Params, params: Params, decay: float, step: jax.Array | int) -> Params:
    """The average after a step: ema + (1 - d) (params - ema), so that what does not move stays to the bit.

    step: how many steps were taken, this one included. d grows to `decay` as min(decay, (1 + step) / (10 + step)), so
    that a short run does not remain at its start (the warm-up of TensorFlow's ExponentialMovingAverage).
    """
    rest = 1 - jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda average, p: average + rest * (p.astype(jnp.float32) - average), ema, params)
