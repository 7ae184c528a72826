"""Handling of bad steps, whose loss or gradient is not finite, or whose gradient is suddenly far too large.

The decision is made on the device. With any policy, a bad step changes neither parameters nor moments.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from negjax.config import Optim

State = dict[str, Any]  # params, opt_state, step, guard, and ema where it is kept
WINDOW = 64  # number of gradient norms whose median a spike is compared with


def new_guard(optim: Optim) -> dict[str, jax.Array]:
    """The state's entry "guard" before the first step.

    Returns:
        "skipped": number of bad steps so far; "halted": whether steps leave the state as it is until the loop has
        handled a bad step; with a spike factor "norms": the last WINDOW norms of the gradient, the newest at the end,
        NaN before the first WINDOW steps.
    """
    guard = {"skipped": jnp.zeros((), jnp.int32), "halted": jnp.zeros((), bool)}
    return guard | ({"norms": jnp.full(WINDOW, jnp.nan)} if optim.spike_factor else {})


def guarded(
    state: State, new_state: State, metrics: Mapping[str, jax.Array], optim: Optim
) -> tuple[State, dict[str, jax.Array]]:
    """The state after a step, and its metrics with `skipped` and `halted`.

    A step is bad when "loss" or "gradient_norm" of the metrics is not finite, or when the norm is more than
    `optim.spike_factor` times the median of the last WINDOW. All finite norms count there, those of bad steps too, so
    that a lasting change of scale is accepted after half a window; in the first WINDOW steps nothing is a spike. After
    a bad step the state is the old one except for the step counter, the schedule and the guard. With the policies
    "stop" and "roll_back" it then does not change in later steps until the loop acts on `halted`:
    state["step"] remains the step that was bad.

    Args:
        state: the state before the update.
        new_state: the state after it, without "guard".
        metrics: of the step.
        optim: the policy.
    """
    guard, norm = state["guard"], metrics["gradient_norm"]
    bad = ~(jnp.isfinite(metrics["loss"]) & jnp.isfinite(norm))
    after = {}
    if optim.spike_factor:
        norms = guard["norms"]
        bad |= norm > optim.spike_factor * jnp.median(norms)  # false while there are NaNs among them
        after["norms"] = jnp.where(jnp.isfinite(norm), jnp.append(norms[1:], norm), norms)
    after["skipped"] = guard["skipped"] + bad
    after["halted"] = bad & (optim.on_bad_step != "skip")
    kept = _where(bad, _at_position_of(state, new_state), {**new_state, "guard": guard}) | {"guard": after}
    kept = _where(guard["halted"], state, kept)
    return kept, {**metrics, "skipped": kept["guard"]["skipped"], "halted": kept["guard"]["halted"]}


def roll_back(restored: State, halted: State) -> State:
    """The state to continue with after a bad step.

    Parameters and moments are those of `restored`; position and counts are those of `halted`, so that the next batch is
    the one after the bad step, halted["step"].
    """
    guard = halted["guard"] | {"halted": jnp.zeros((), bool)}
    return _at_position_of(restored, halted) | {"guard": guard}


def _at_position_of(state: State, later: State) -> State:
    """`state` with the step counter and the schedule's count of `later`; bias corrections stay with their moments."""

    def position(old: Any, new: Any) -> Any:
        return new if _is_schedule(old) else old

    opt_state = jax.tree.map(position, state["opt_state"], later["opt_state"], is_leaf=_is_schedule)
    return {**state, "opt_state": opt_state, "step": later["step"]}


def _is_schedule(node: Any) -> bool:
    return isinstance(node, optax.ScaleByScheduleState)


def _where(condition: jax.Array, yes: State, no: State) -> State:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
