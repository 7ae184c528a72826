"""Exponential moving averages (EMA) of the parameters: one to evaluate, and one that is the teacher."""

import jax
import jax.numpy as jnp

from negjax.models.clip import Params


def new_ema(params: Params) -> Params:
    """The average before the first step: a copy of the parameters, in float32."""
    return jax.tree.map(lambda p: jnp.array(p, jnp.float32), params)


def teacher_update(teacher: Params, params: Params, decay: float) -> Params:
    """The teacher after a step, decay x teacher + (1 - decay) x params, from the start's parameters on.

    Source: Tarvainen and Valpola 2017 (mean teacher). Without the warm-up of `ema_update`
    it is the start at first, and not the last step's parameters.
    """
    return jax.tree.map(lambda old, p: old + (1 - decay) * (p.astype(jnp.float32) - old), teacher, params)


def ema_update(ema: Params, params: Params, decay: float, step: jax.Array | int) -> Params:
    """The average after a step: ema + (1 - d) (params - ema), which is exact for constant parameters.

    d grows to `decay` as min(decay, (1 + step) / (10 + step)), so that the average of a short run is not dominated by
    its start (the warm-up of TensorFlow's ExponentialMovingAverage).

    Args:
        ema: the average before the step.
        params: the parameters after it.
        decay: the largest d.
        step: number of steps taken, this one included.
    """
    rest = 1 - jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda average, p: average + rest * (p.astype(jnp.float32) - average), ema, params)
