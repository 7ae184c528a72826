"""One training step: the weighted sum of the named objectives, its gradient, and the update."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from negjax.config import LossSpec, Optim, Source
from negjax.media.images import Preprocess
from negjax.models import clip
from negjax.models.architecture import CLIPConfig
from negjax.models.compute import Compute
from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.distill import distill_loss
from negjax.objectives.mcq import mcq_loss
from negjax.objectives.sigmoid import sigmoid_loss
from negjax.training.averages import ema_update, new_ema
from negjax.training.encode import Batches, Encoded, encode, encoder_inputs, teacher_inputs
from negjax.training.gradcache import cached_gradient, encoded
from negjax.training.guard import guarded, new_guard
from negjax.training.optimizer import combine, partition

State = dict[str, Any]  # params, opt_state, step, guard, and ema where it is kept
Metrics = dict[str, jax.Array]


def new_state(params: clip.Params, optimizer: optax.GradientTransformation, optim: Optim = Optim()) -> State:
    """The state before the first step; with a running average of the parameters, "ema", where `optim` has its decay."""
    state = {"params": params, "opt_state": optimizer.init(params), "step": jnp.zeros((), jnp.int32)}
    return state | {"guard": new_guard(optim)} | ({"ema": new_ema(params)} if optim.ema else {})


def objectives(
    params: clip.Params,
    embeddings: Encoded,
    batches: Batches,
    *,
    sources: Mapping[str, Source],
    mesh: Mesh | None = None,
    chunk: int = 0,
    taught: Encoded,
) -> tuple[jax.Array, Metrics]:
    """The sum over sources and objectives of weight x loss, and each unweighted loss and accuracy by name.

    params: their logit scale and logit bias count. embeddings: of what `encoder_inputs` says. taught: the teacher's
    embeddings; where it has none they are the student's own. mesh, chunk: the form of the contrastive and the sigmoid
    loss, see `contrastive_loss` and `sigmoid_loss`.
    """
    scale = jnp.exp(params["logit_scale"])
    total = jnp.zeros(())
    metrics: Metrics = {}
    for name, source in sources.items():
        image_BE, parts = embeddings[name, "image"], []
        if source.contrastive:
            found = contrastive_loss(
                image_BE,
                embeddings[name, "text"],
                scale,
                negative_text_NE=embeddings.get((name, "negative_text")),
                mesh=mesh,
                chunk=chunk,
            )
            parts.append(("contrastive", source.contrastive, found))
        if source.sigmoid:
            bias = params["logit_bias"]
            found = sigmoid_loss(image_BE, embeddings[name, "text"], scale, bias, mesh=mesh, chunk=chunk)
            parts.append(("sigmoid", source.sigmoid, found))
        if source.distill:
            own, kept = ([each[name, key] for key in ("image", "text")] for each in (embeddings, embeddings | taught))
            parts.append(("distill", source.distill, distill_loss(*own, *kept)))
        if source.mcq:
            option_GOE = embeddings[name, "options"]
            # Consecutive rows of a group share their options, which are encoded once.
            option_BOE = jnp.repeat(option_GOE, len(image_BE) // len(option_GOE), axis=0)
            parts.append(("mcq", source.mcq, mcq_loss(image_BE, option_BOE, batches[name]["answer"], scale)))
        for objective, weight, (loss, extra) in parts:
            total += weight * loss
            metrics[f"{name}/{objective}"] = loss
            metrics |= {f"{name}/{objective}_{key}": value for key, value in extra.items()}
    return total, metrics | {"loss": total}


def make_step(
    sources: Mapping[str, Source],
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    optimizer: optax.GradientTransformation,
    learns: Any,
    *,
    optim: Optim = Optim(),
    mesh: Mesh | None = None,
    loss: LossSpec = LossSpec(),
) -> Callable[[State, Batches, clip.Params | None], tuple[State, Metrics]]:
    """The step as a pure function, to be compiled. learns: tree of True for the parameters that learn.

    Its last argument are the parameters of the teacher for sources that distill, which it leaves as they are.

    mesh: over which batches and state lie; None for one device. optim: whether an average is kept, and what becomes of
    a bad step. loss: how the gradient is computed, without changing what it is.
    """
    # CLIP's bound on the temperature; SigLIP has none, and what is frozen stays.
    bounded = config.logit_bias_init is None and learns["logit_scale"]
    run = partial(encode, config=config, preprocess=preprocess, compute=compute)
    form: Any = {"sources": sources, "mesh": mesh if loss.sharded else None, "chunk": loss.chunk}
    # A frozen tower is still the teacher's.
    taught_towers = [tower for tower in ("visual", "text") if any(jax.tree.leaves(learns[tower]))]

    def gradient(params: clip.Params, batches: Batches, teacher: clip.Params) -> tuple[clip.Params, Metrics]:
        inputs, taught_inputs = encoder_inputs(batches, sources), teacher_inputs(batches, sources, taught_towers)
        taught = encoded(run, teacher, taught_inputs, mesh, loss.micro_batches)
        moving, fixed = partition(params, learns)

        def weighed(moving: list, embeddings: Encoded) -> tuple[jax.Array, Metrics]:
            return objectives(combine(moving, fixed, learns), embeddings, batches, taught=taught, **form)

        def whole(moving: list) -> tuple[jax.Array, Metrics]:
            return weighed(moving, encoded(run, combine(moving, fixed, learns), inputs, mesh))

        if loss.micro_batches > 1:
            grads, metrics = cached_gradient(run, weighed, params, learns, inputs, mesh, loss.micro_batches)
        else:
            grads, metrics = jax.grad(whole, has_aux=True)(moving)
        return combine(grads, [jnp.zeros_like(leaf) for leaf in fixed], learns), metrics

    def step(state: State, batches: Batches, teacher: clip.Params | None = None) -> tuple[State, Metrics]:
        grads, metrics = gradient(state["params"], batches, teacher or {})
        updates, opt_state = optimizer.update(grads, state["opt_state"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        if bounded:
            params = params | {"logit_scale": jnp.clip(params["logit_scale"], 0, math.log(100))}
        metrics |= {"gradient_norm": optax.tree.norm(grads), "logit_scale": jnp.exp(params["logit_scale"])}
        new = {"params": params, "opt_state": opt_state, "step": state["step"] + 1}
        if optim.ema:
            new["ema"] = ema_update(state["ema"], params, optim.ema, new["step"])
        return guarded(state, new, metrics, optim)

    return step
