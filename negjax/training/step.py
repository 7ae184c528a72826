"""One training step: the weighted sum of the named objectives, its gradient, and the update."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from negjax.config import Source
from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.layers import Compute
from negjax.models.presets import CLIPConfig
from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.mcq import mcq_loss
from negjax.objectives.sigmoid import sigmoid_loss

State = dict[str, Any]  # params, opt_state, step
Metrics = dict[str, jax.Array]
Batches = Mapping[str, Mapping[str, jax.Array]]  # source name -> its batch, as negjax.input.pipeline makes it


def new_state(params: clip.Params, optimizer: optax.GradientTransformation) -> State:
    """The state before the first step."""
    return {"params": params, "opt_state": optimizer.init(params), "step": jnp.zeros((), jnp.int32)}


def loss_and_metrics(
    params: clip.Params,
    batches: Batches,
    *,
    sources: Mapping[str, Source],
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
) -> tuple[jax.Array, Metrics]:
    """The sum over sources and objectives of weight x loss, and each unweighted loss and accuracy by name.

    Each image is encoded once, however many objectives of its source use it.
    """
    scale = jnp.exp(params["logit_scale"])
    total = jnp.zeros(())
    metrics: Metrics = {}
    for name, source in sources.items():
        batch = batches[name]
        image_BE = clip.encode_image(config, params, normalise(batch["image"], preprocess), compute)
        parts = []
        if source.contrastive or source.sigmoid:
            text_BE = clip.encode_text(config, params, batch["text"], compute)
        if source.contrastive:
            parts.append(("contrastive", source.contrastive, contrastive_loss(image_BE, text_BE, scale)))
        if source.sigmoid:
            parts.append(("sigmoid", source.sigmoid, sigmoid_loss(image_BE, text_BE, scale, params["logit_bias"])))
        if source.mcq:
            options = batch["options"]
            option_BOE = clip.encode_text(config, params, options.reshape(-1, options.shape[-1]), compute)
            option_BOE = option_BOE.reshape(*options.shape[:2], -1)
            # Consecutive rows of a group share their options, which are encoded once.
            option_BOE = jnp.repeat(option_BOE, len(image_BE) // len(options), axis=0)
            parts.append(("mcq", source.mcq, mcq_loss(image_BE, option_BOE, batch["answer"], scale)))
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
) -> Callable[[State, Batches], tuple[State, Metrics]]:
    """The step as a pure function, to be compiled. learns: tree of True for the parameters that learn."""
    # CLIP's bound on the temperature; SigLIP has none.
    softmax = any(source.contrastive or source.mcq for source in sources.values())

    def loss_fn(params: clip.Params, batches: Batches) -> tuple[jax.Array, Metrics]:
        params = jax.tree.map(lambda p, learn: p if learn else jax.lax.stop_gradient(p), params, learns)
        return loss_and_metrics(params, batches, sources=sources, config=config, preprocess=preprocess, compute=compute)

    def step(state: State, batches: Batches) -> tuple[State, Metrics]:
        grads, metrics = jax.grad(loss_fn, has_aux=True)(state["params"], batches)
        updates, opt_state = optimizer.update(grads, state["opt_state"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        if softmax:
            params = params | {"logit_scale": jnp.clip(params["logit_scale"], 0, math.log(100))}
        metrics |= {"gradient_norm": optax.tree.norm(grads), "logit_scale": jnp.exp(params["logit_scale"])}
        return {"params": params, "opt_state": opt_state, "step": state["step"] + 1}, metrics

    return step
