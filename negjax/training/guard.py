"""Handling of bad steps, whose loss or gradient is not finite, or whose gradient is suddenly far too large.

The decision is made on the device. With any policy, a bad step changes neither parameters nor moments.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from negjax.config import Optim

State = dict[str, Any]  # params, opt_state, step, guard, and ema and teacher where they are kept
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


def assess(
    guard: Mapping[str, jax.Array], metrics: Mapping[str, jax.Array], optim: Optim
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Whether a step is to leave parameters, moments and averages as they are, and the guard after it.

    It is when the state is halted, or the step is bad: "loss" or "gradient_norm" of the metrics is not finite, or the
    norm is more than `optim.spike_factor` times the median of the last WINDOW. All finite norms count there, those of
    bad steps too, so that a lasting change of scale is accepted after half a window; in the first WINDOW steps nothing
    is a spike.

    Args:
        guard: the state's before the step.
        metrics: of the step, known before the update.
        optim: the policy. With "stop" and "roll_back" a bad step halts the state.
    """
    norm, after = metrics["gradient_norm"], {}
    bad = ~(jnp.isfinite(metrics["loss"]) & jnp.isfinite(norm))
    if optim.spike_factor:
        norms = guard["norms"]
        bad |= norm > optim.spike_factor * jnp.median(norms)  # false while there are NaNs among them
        after["norms"] = jnp.where(jnp.isfinite(norm), jnp.append(norms[1:], norm), norms)
    after["skipped"] = guard["skipped"] + bad
    after["halted"] = bad & (optim.on_bad_step != "skip")
    return bad | guard["halted"], select(guard["halted"], dict(guard), after)


def with_hold(inner: optax.GradientTransformation, by: str = "hold") -> optax.GradientTransformationExtraArgs:
    """The same transformation, whose state stays as it is in updates where the extra argument named `by` is true."""

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        updates, new_state = inner.update(updates, state, params)
        return updates, select(extra.get(by, False), state, new_state)

    return optax.GradientTransformationExtraArgs(inner.init, update)


def select(condition: jax.Array | bool, yes: Any, no: Any) -> Any:
    """One of two equal trees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


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
