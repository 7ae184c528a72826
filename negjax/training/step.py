"""One training step: the weighted sum of the objectives, its gradient, and the update."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from negjax.adapters.adapter import Adapter
from negjax.config import LossSpec, Optim, Source
from negjax.models import clip
from negjax.objectives.objective import LossForm
from negjax.training.averages import new_ema
from negjax.training.encode import TOWERS, Batches, Encoded, Towers, encoder_inputs, teacher_inputs
from negjax.training.gradcache import cached_gradient, encoded
from negjax.training.guard import State, new_guard
from negjax.training.losses import Metrics, total_loss
from negjax.training.optimizer import combine, partition
from negjax.training.update import update


def new_state(params: clip.Params, optimizer: optax.GradientTransformation, optim: Optim = Optim()) -> State:
    """The state before the first step: "params", "opt_state", "step" and "guard".

    With a decay `optim.ema` it also holds a running average of the parameters, "ema"; with `optim.teacher_ema` the
    teacher, which is one too, "teacher".
    """
    state = {"params": params, "opt_state": optimizer.init(params), "step": jnp.zeros((), jnp.int32)}
    averages = {"ema": optim.ema, "teacher": optim.teacher_ema}
    return state | {"guard": new_guard(optim)} | {key: new_ema(params) for key, decay in averages.items() if decay}


def make_step(
    sources: Mapping[str, Source],
    towers: Towers,
    optimizer: optax.GradientTransformation,
    learns: Any,
    *,
    optim: Optim = Optim(),
    adapter: Adapter | None = None,
    mesh: Mesh | None = None,
    loss: LossSpec = LossSpec(),
) -> Callable[[State, Batches, clip.Params | None], tuple[State, Metrics]]:
    """The training step as a pure function, to be compiled.

    Args:
        sources: objectives and inputs of each source.
        towers: the model.
        optimizer: what updates the parameters.
        learns: tree of True for the parameters of the model that learn or, with an adapter, that it changes.
        optim: whether an average is kept, and what happens after a bad step.
        adapter: the kind of adapter that the state has as its parameters; None where these are the model's.
        mesh: the devices over which batches and state are sharded; None for one device.
        loss: how the gradient is computed, without changing its value.

    Returns:
        (state, batches, start) -> (state, metrics). The start's parameters, which are the teacher's and those that an
        adapter belongs to, are read only; None where they are not needed (`Experiment.needs_start`).
    """
    # CLIP's bound on the temperature; SigLIP has none, and a frozen one is never changed.
    bounded = towers.config.logit_bias_init is None and learns["logit_scale"]
    gradient = _make_gradient(sources, towers, learns, mesh, loss)

    def step(state: State, batches: Batches, start: clip.Params | None = None) -> tuple[State, Metrics]:
        start = start or {}

        def model_params(trained: clip.Params) -> clip.Params:
            return adapter.adapt(start, trained) if adapter else trained

        teacher = model_params(state["teacher"]) if "teacher" in state else start
        params, to_trained = jax.vjp(model_params, state["params"])
        grads, metrics = gradient(params, batches, teacher)
        (grads,) = to_trained(grads)
        norm = optax.tree.norm(grads if adapter else partition(grads, learns)[0])
        state, metrics = update(state, grads, metrics | {"gradient_norm": norm}, optimizer, optim, bounded=bounded)
        return state, metrics | {"logit_scale": jnp.exp({**start, **state["params"]}["logit_scale"])}

    return step


def _make_gradient(
    sources: Mapping[str, Source], towers: Towers, learns: Any, mesh: Mesh | None, loss: LossSpec
) -> Callable[[clip.Params, Batches, clip.Params], tuple[clip.Params, Metrics]]:
    """(parameters, batches, teacher's parameters) -> (gradient, zero for parameters that do not learn; metrics)."""
    form = LossForm(mesh if loss.sharded else None, loss.chunk)
    # A tower that does not learn is identical to the teacher's, and is not run twice.
    learning_towers = [tower for tower in TOWERS if any(jax.tree.leaves(learns[tower]))]

    def gradient(params: clip.Params, batches: Batches, teacher: clip.Params) -> tuple[clip.Params, Metrics]:
        inputs, teacher_in = encoder_inputs(batches, sources), teacher_inputs(batches, sources, learning_towers)
        teacher_embeddings = encoded(towers.encode, teacher, teacher_in, mesh, loss.micro_batches)
        moving, fixed = partition(params, learns)

        def loss_of_embeddings(moving: list, embeddings: Encoded) -> tuple[jax.Array, Metrics]:
            params, taught = combine(moving, fixed, learns), teacher_embeddings
            return total_loss(params, embeddings, batches, sources=sources, teacher_embeddings=taught, form=form)

        def loss_of_batch(moving: list) -> tuple[jax.Array, Metrics]:
            params = combine(moving, fixed, learns)
            return loss_of_embeddings(moving, encoded(towers.encode, params, inputs, mesh))

        if loss.micro_batches > 1:
            cached = cached_gradient(
                towers.encode, loss_of_embeddings, params, learns, inputs, mesh, loss.micro_batches
            )
            grads, metrics = cached
        else:
            grads, metrics = jax.grad(loss_of_batch, has_aux=True)(moving)
        return combine(grads, [jnp.zeros_like(leaf) for leaf in fixed], learns), metrics

    return gradient
