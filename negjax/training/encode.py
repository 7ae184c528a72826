"""What the towers encode for the objectives: each image once, and captions of one length in one run."""

from collections.abc import Callable, Collection, Mapping
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp

from negjax.config import Source
from negjax.media.augment import apply_color_jitter
from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.architecture import CLIPConfig
from negjax.models.compute import Compute

Batches = Mapping[str, Mapping[str, jax.Array]]  # source name -> its batch, as negjax.input.pipeline makes it
Encoded = dict[tuple[str, str], jax.Array]  # (source, "image" and so on) -> an input of the towers, or its embeddings


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
    params: clip.Params, inputs: Encoded, *, config: CLIPConfig, preprocess: Preprocess, compute: Compute
) -> Encoded:
    """The embeddings of the inputs, a vector in the place of each image or caption: options [G, O, T] as [G, O, E].

    The image tower runs once for all sources, the text tower once for each caption length.
    """
    pixels = {key: x for key, x in inputs.items() if key[1] == "image"}
    for name, _ in [key for key in inputs if key[1] == "augment"]:
        pixels[name, "image"] = apply_color_jitter(pixels[name, "image"], inputs[name, "augment"])
    tokens = {key: x.reshape(-1, x.shape[-1]) for key, x in inputs.items() if key[1] not in ("image", "augment")}
    images = _joined(pixels, lambda x: clip.encode_image(config, params, normalise(x, preprocess), compute))
    texts = _joined(tokens, lambda x: clip.encode_text(config, params, x, compute))
    return images | {key: x.reshape(*inputs[key].shape[:-1], -1) for key, x in texts.items()}


def _joined(inputs: Mapping[Any, jax.Array], tower: Callable[[jax.Array], jax.Array]) -> dict:
    """The embeddings of several batches, those whose rows have one shape in a single run of the tower."""
    found: dict = {}
    for shape in dict.fromkeys(batch.shape[1:] for batch in inputs.values()):
        alike = {name: batch for name, batch in inputs.items() if batch.shape[1:] == shape}
        embedding = tower(jnp.concatenate(list(alike.values())))
        ends = list(accumulate(len(batch) for batch in alike.values()))[:-1]
        found |= dict(zip(alike, jnp.split(embedding, ends)))
    return found
