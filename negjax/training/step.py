"""One training step: the weighted sum of the named objectives, its gradient, and the update."""

import math
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import optax

from negjax.config import Source
from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.architecture import CLIPConfig
from negjax.models.layers import Compute
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
    shards: int = 1,
) -> tuple[jax.Array, Metrics]:
    """The sum over sources and objectives of weight x loss, and each unweighted loss and accuracy by name.

    Each image is encoded once, however many objectives of its source use it; the image tower runs once for all sources,
    the text tower once for each caption length. shards: over how many devices the rows of a batch are split.
    """
    scale = jnp.exp(params["logit_scale"])
    total = jnp.zeros(())
    metrics: Metrics = {}
    pixels = {name: batches[name]["image"] for name in sources}
    images = _encode(pixels, shards, lambda x: clip.encode_image(config, params, normalise(x, preprocess), compute))
    tokens = {}
    for name, source in sources.items():
        if source.contrastive or source.sigmoid:
            tokens[name, "text"] = batches[name]["text"]
        if source.mcq:
            options = batches[name]["options"]
            tokens[name, "options"] = options.reshape(-1, options.shape[-1])
    texts = _encode(tokens, shards, lambda x: clip.encode_text(config, params, x, compute))
    for name, source in sources.items():
        image_BE, parts = images[name], []
        if source.contrastive:
            parts.append(("contrastive", source.contrastive, contrastive_loss(image_BE, texts[name, "text"], scale)))
        if source.sigmoid:
            bias = params["logit_bias"]
            parts.append(("sigmoid", source.sigmoid, sigmoid_loss(image_BE, texts[name, "text"], scale, bias)))
        if source.mcq:
            options = batches[name]["options"]
            option_BOE = texts[name, "options"].reshape(*options.shape[:2], -1)
            # Consecutive rows of a group share their options, which are encoded once.
            option_BOE = jnp.repeat(option_BOE, len(image_BE) // len(options), axis=0)
            parts.append(("mcq", source.mcq, mcq_loss(image_BE, option_BOE, batches[name]["answer"], scale)))
        for objective, weight, (loss, extra) in parts:
            total += weight * loss
            metrics[f"{name}/{objective}"] = loss
            metrics |= {f"{name}/{objective}_{key}": value for key, value in extra.items()}
    return total, metrics | {"loss": total}


def _encode(inputs: Mapping[Any, jax.Array], shards: int, tower: Callable[[jax.Array], jax.Array]) -> dict:
    """The embeddings of several batches, those whose rows have one shape in a single run of the tower.

    Batches are joined within each device's rows, so that no row moves to another device.
    """
    found = {}
    for shape in dict.fromkeys(batch.shape[1:] for batch in inputs.values()):
        alike = {name: batch for name, batch in inputs.items() if batch.shape[1:] == shape}
        parts = [batch.reshape(shards, -1, *shape) for batch in alike.values()]
        joined = jnp.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        embedding = tower(joined.reshape(-1, *shape)).reshape(shards, joined.shape[1], -1)
        ends = list(accumulate(part.shape[1] for part in parts))[:-1]
        for (name, batch), rows in zip(alike.items(), jnp.split(embedding, ends, axis=1)):
            found[name] = rows.reshape(len(batch), -1)
    return found


def make_step(
    sources: Mapping[str, Source],
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    optimizer: optax.GradientTransformation,
    learns: Any,
    shards: int = 1,
) -> Callable[[State, Batches], tuple[State, Metrics]]:
    """The step as a pure function, to be compiled. learns: tree of True for the parameters that learn.

    shards: over how many devices the rows of a batch are split.
    """
    # CLIP's bound on the temperature; SigLIP has none.
    softmax = any(source.contrastive or source.mcq for source in sources.values())

    def loss_fn(params: clip.Params, batches: Batches) -> tuple[jax.Array, Metrics]:
        params = jax.tree.map(lambda p, learn: p if learn else jax.lax.stop_gradient(p), params, learns)
        return loss_and_metrics(
            params,
            batches,
            sources=sources,
            config=config,
            preprocess=preprocess,
            compute=compute,
            shards=shards,
        )

    def step(state: State, batches: Batches) -> tuple[State, Metrics]:
        grads, metrics = jax.grad(loss_fn, has_aux=True)(state["params"], batches)
        updates, opt_state = optimizer.update(grads, state["opt_state"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        if softmax:
            params = params | {"logit_scale": jnp.clip(params["logit_scale"], 0, math.log(100))}
        metrics |= {"gradient_norm": optax.tree.norm(grads), "logit_scale": jnp.exp(params["logit_scale"])}
        return {"params": params, "opt_state": opt_state, "step": state["step"] + 1}, metrics

    return step
