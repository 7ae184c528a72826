"""The update of a state by a gradient, in one pass over the parameters.

Whether a step is bad, and by which factor its gradient is clipped, is known before the pass. Each array is then
computed from those that are stored after the step, not from values that a bad step discards: so XLA writes moments,
parameters and averages into the memory of the old ones, where it would otherwise copy these first.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from negjax.config import Optim
from negjax.models.clip import Params
from negjax.training.averages import ema_update, teacher_update
from negjax.training.guard import State, assess, select


def update(
    state: State,
    grads: Params,
    metrics: Mapping[str, jax.Array],
    optimizer: optax.GradientTransformationExtraArgs,
    optim: Optim,
    *,
    bounded: bool,
) -> tuple[State, dict[str, jax.Array]]:
    """The state after a step, and the metrics with "skipped" and "halted".

    After a bad step (see `assess`) it is the old one except for the step counter, the schedule and the guard. With the
    policies "stop" and "roll_back" it then does not change in later steps until the loop acts on `halted`:
    state["step"] remains the step that was bad.

    Args:
        state: before the step.
        grads: a tree like the parameters.
        metrics: of the step, with "loss" and "gradient_norm".
        optimizer: of `make_optimizer`.
        optim: the policy, and the decay of the average.
        bounded: whether the logit scale is kept in [0, ln 100].
    """
    hold, guard = assess(state["guard"], metrics, optim)
    halted = state["guard"]["halted"]
    updates, opt_state = optimizer.update(grads, state["opt_state"], state["params"], hold=hold, halted=halted)
    params = optax.apply_updates(state["params"], updates)
    if bounded:
        params = params | {"logit_scale": jnp.clip(params["logit_scale"], 0, math.log(100))}
    params = select(hold, state["params"], params)
    new = {"params": params, "opt_state": opt_state, "step": state["step"] + ~halted, "guard": guard}
    if optim.ema:
        new["ema"] = select(hold, state["ema"], ema_update(state["ema"], params, optim.ema, new["step"]))
    if "teacher" in state:
        moved = teacher_update(state["teacher"], params, optim.teacher_ema)
        new["teacher"] = select(hold, state["teacher"], moved)
    return new, {**metrics, "skipped": guard["skipped"], "halted": guard["halted"]}
