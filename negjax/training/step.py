"""One training step: the weighted sum of the named objectives, its gradient, and the update."""

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from negjax.config import Optim, Source
from negjax.media.augment import recolored
from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.architecture import CLIPConfig
from negjax.models.layers import Compute
from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.distill import distill_loss
from negjax.objectives.mcq import mcq_loss
from negjax.objectives.sigmoid import sigmoid_loss
from negjax.training.averages import ema_update, new_ema
from negjax.training.gradcache import cached_gradient, in_parts
from negjax.training.guard import guarded, new_guard

State = dict[str, Any]  # params, opt_state, step, guard, and ema where it is kept
Metrics = dict[str, jax.Array]
Batches = Mapping[str, Mapping[str, jax.Array]]  # source name -> its batch, as negjax.input.pipeline makes it
Encoded = dict[tuple[str, str], jax.Array]  # (source, "image" and so on) -> an input of the towers, or its embeddings


def new_state(params: clip.Params, optimizer: optax.GradientTransformation, optim: Optim = Optim()) -> State:
    """The state before the first step; with a running average of the parameters, "ema", where `optim` has its decay."""
    state = {"params": params, "opt_state": optimizer.init(params), "step": jnp.zeros((), jnp.int32)}
    return state | {"guard": new_guard(optim)} | ({"ema": new_ema(params)} if optim.ema else {})


def loss_and_metrics(
    params: clip.Params,
    batches: Batches,
    *,
    sources: Mapping[str, Source],
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    shards: int = 1,
    mesh: Mesh | None = None,
    chunk: int = 0,
    teacher: clip.Params | None = None,
) -> tuple[jax.Array, Metrics]:
    """The sum over sources and objectives of weight x loss, and each unweighted loss and accuracy by name.

    Each image is encoded once, however many objectives of its source use it; the image tower runs once for all sources,
    the text tower once for each caption length. shards: over how many devices the rows of a batch are split.
    mesh, chunk: the form of the contrastive and the sigmoid loss, see `contrastive_loss` and `sigmoid_loss`.
    teacher: parameters of the model whose embeddings `distill` keeps.
    """
    how: Any = {"config": config, "preprocess": preprocess, "compute": compute, "shards": shards}
    embeddings = encode(params, encoder_inputs(batches, sources), **how)
    taught = encode(teacher, teacher_inputs(batches, sources), **how) if teacher is not None else {}
    return objectives(params, embeddings, batches, sources=sources, mesh=mesh, chunk=chunk, taught=taught)


def encoder_inputs(batches: Batches, sources: Mapping[str, Source]) -> Encoded:
    """What the towers have to encode for the objectives of the sources, by (source, "image", "text" and so on).

    With (source, "augment") for images whose colours are to be changed first.
    """
    wanted: Encoded = {}
    for name, source in sources.items():
        keys = ["image", *(["augment"] if source.recolors else [])]
        if source.uses_captions:
            keys.append("text")
        if source.hard_negatives:
            keys.append("negative_text")
        if source.mcq:
            keys.append("options")
        wanted |= {(name, key): batches[name][key] for key in keys}
    return wanted


def teacher_inputs(
    batches: Batches, sources: Mapping[str, Source], towers: Collection[str] = ("visual", "text")
) -> Encoded:
    """The images and captions of the sources that distill, the very ones that the student sees, for these towers."""
    inputs = encoder_inputs(batches, {name: source for name, source in sources.items() if source.distill})
    tower = {"image": "visual", "augment": "visual", "text": "text"}
    return {key: x for key, x in inputs.items() if tower.get(key[1]) in towers}


def encode(
    params: clip.Params,
    inputs: Encoded,
    *,
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    shards: int = 1,
) -> Encoded:
    """The embeddings of the inputs, a vector in the place of each image or caption: options [G, O, T] as [G, O, E]."""
    pixels = {key: x for key, x in inputs.items() if key[1] == "image"}
    for name, _ in [key for key in inputs if key[1] == "augment"]:
        pixels[name, "image"] = recolored(pixels[name, "image"], inputs[name, "augment"])
    tokens = {key: x.reshape(-1, x.shape[-1]) for key, x in inputs.items() if key[1] not in ("image", "augment")}
    images = _encode(pixels, shards, lambda x: clip.encode_image(config, params, normalise(x, preprocess), compute))
    texts = _encode(tokens, shards, lambda x: clip.encode_text(config, params, x, compute))
    return images | {key: x.reshape(*inputs[key].shape[:-1], -1) for key, x in texts.items()}


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
    """`loss_and_metrics` from the embeddings on; of the parameters it needs the logit scale and the logit bias.

    taught: the teacher's embeddings; where it has none they are the student's own.
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
    *,
    optim: Optim = Optim(),
    mesh: Mesh | None = None,
    chunk: int = 0,
    micro_batches: int = 1,
) -> Callable[[State, Batches, clip.Params | None], tuple[State, Metrics]]:
    """The step as a pure function, to be compiled. learns: tree of True for the parameters that learn.

    Its last argument are the parameters of the teacher for sources that distill, which it leaves as they are.

    shards: over how many devices the rows of a batch are split. mesh, chunk: see `loss_and_metrics`.
    micro_batches: above 1 the towers see the batch in so many parts, see `negjax.training.gradcache`; the gradient is
    that of the whole batch all the same. optim: whether an average is kept, and what becomes of a bad step.
    """
    # CLIP's bound on the temperature; SigLIP has none.
    softmax = any(source.contrastive or source.mcq for source in sources.values())

    def learning(params: clip.Params) -> clip.Params:
        return jax.tree.map(lambda p, learn: p if learn else jax.lax.stop_gradient(p), params, learns)

    run = partial(encode, config=config, preprocess=preprocess, compute=compute, shards=shards)

    def encoded(params: clip.Params, inputs: Encoded) -> Encoded:
        return run(learning(params), inputs)

    # A frozen tower is still the teacher's.
    taught_towers = [tower for tower in ("visual", "text") if any(jax.tree.leaves(learns[tower]))]

    def gradient(params: clip.Params, batches: Batches, teacher: clip.Params) -> tuple[clip.Params, Metrics]:
        taught = in_parts(run, teacher, teacher_inputs(batches, sources, taught_towers), micro_batches, shards)

        def weighed(params: clip.Params, embeddings: Encoded) -> tuple[jax.Array, Metrics]:
            form: Any = {"sources": sources, "mesh": mesh, "chunk": chunk, "taught": taught}
            return objectives(learning(params), embeddings, batches, **form)

        inputs = encoder_inputs(batches, sources)
        if micro_batches > 1:
            return cached_gradient(encoded, weighed, params, inputs, micro_batches, shards)
        return jax.grad(lambda params: weighed(params, encoded(params, inputs)), has_aux=True)(params)

    def step(state: State, batches: Batches, teacher: clip.Params | None = None) -> tuple[State, Metrics]:
        grads, metrics = gradient(state["params"], batches, teacher or {})
        updates, opt_state = optimizer.update(grads, state["opt_state"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        if softmax:
            params = params | {"logit_scale": jnp.clip(params["logit_scale"], 0, math.log(100))}
        metrics |= {"gradient_norm": optax.tree.norm(grads), "logit_scale": jnp.exp(params["logit_scale"])}
        new = {"params": params, "opt_state": opt_state, "step": state["step"] + 1}
        if optim.ema:
            new["ema"] = ema_update(state["ema"], params, optim.ema, new["step"])
        return guarded(state, new, metrics, optim)

    return step
