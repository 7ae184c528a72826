"""Encodes the inputs of the objectives: each image once, and all packed texts in one run of the tower.

Shapes: S side of an image (of embeddings: slots), T tokens, R packed rows, K slots of one, E width of the embeddings,
G groups of rows that share their O options.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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
from negjax.objectives.inputs import INPUTS
from negjax.training.text_packing import GROUPS, PACKED

TOWERS = ("visual", "text")
Batches = Mapping[str, Mapping[str, Any]]  # of a step: `negjax.training.text_packing.StepTexts.batches`
# (source, name of an input) -> what a tower encodes, or its embeddings; (PACKED, group) -> rows of packed texts.
Encoded = dict[tuple[str, str], Any]


@dataclass(frozen=True)
class Towers:
    """The towers of a model as a function of their parameters.

    Attributes:
        config: the architecture.
        preprocess: how pixels are normalised.
        compute: types, rematerialisation and whether layers are scanned.
    """

    config: CLIPConfig
    preprocess: Preprocess
    compute: Compute = Compute()

    def encode(self, params: clip.Params, inputs: Encoded) -> Encoded:
        """The embeddings of the inputs, a vector for each image or text: options [G, O, T] or [G, O] become [G, O, E].

        The image tower runs once for all sources; so does the text tower on packed texts, else once for each length.
        """
        packs = [inputs[PACKED, group] for group in GROUPS if (PACKED, group) in inputs]
        inputs = {key: x for key, x in inputs.items() if key[0] != PACKED}
        pixels = {key: x for key, x in inputs.items() if INPUTS[key[1]].tower == "visual"}
        for (source, name), changes in inputs.items():
            if changed := INPUTS[name].changes:
                pixels[source, changed] = apply_color_jitter(pixels[source, changed], changes)
        images = _run_joined(pixels, lambda x: self._encode_image(params, x))
        texts = {key: x for key, x in inputs.items() if INPUTS[key[1]].tower == "text"}
        if packs:
            rows = jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *packs)
            embedding_RKE = clip.encode_packed(self.config, params, rows, self.compute)
            embedding_SE = embedding_RKE.reshape(-1, embedding_RKE.shape[-1])
            return images | {key: embedding_SE[slot] for key, slot in texts.items()}
        tokens = {key: x.reshape(-1, x.shape[-1]) for key, x in texts.items()}
        embeddings = _run_joined(tokens, lambda x: clip.encode_text(self.config, params, x, self.compute))
        return images | {key: x.reshape(*texts[key].shape[:-1], -1) for key, x in embeddings.items()}

    def _encode_image(self, params: clip.Params, pixels_BSSC: jax.Array) -> jax.Array:
        return clip.encode_image(self.config, params, normalise(pixels_BSSC, self.preprocess), self.compute)


def encoder_inputs(batches: Batches, sources: Mapping[str, Source]) -> Encoded:
    """The inputs that the towers encode for the objectives, and the colour changes that are applied before."""
    packs = {(PACKED, group): rows for group, rows in batches.get(PACKED, {}).items()}
    return packs | {
        (source, name): batches[source][name]
        for source, settings in sources.items()
        for name in settings.inputs
        if INPUTS[name].tower or INPUTS[name].changes
    }


def teacher_inputs(batches: Batches, sources: Mapping[str, Source], towers: Collection[str] = TOWERS) -> Encoded:
    """The inputs that the teacher encodes: the same images and captions as the student.

    Args:
        batches: the batch of each source.
        sources: the settings of each.
        towers: the towers that differ from the student's, which are the only ones to run.
    """

    def is_taught(source: str, name: str) -> bool:
        if source == PACKED:
            return name == GROUPS[0] and "text" in towers
        encoded = INPUTS[name].changes or name
        return encoded in sources[source].teacher_inputs and INPUTS[encoded].tower in towers

    return {key: x for key, x in encoder_inputs(batches, sources).items() if is_taught(*key)}


def _run_joined(inputs: Mapping[Any, jax.Array], tower: Callable[[jax.Array], jax.Array]) -> dict:
    """The embeddings of several batches; batches with rows of equal shape share a run of the tower."""
    embeddings: dict = {}
    for shape in dict.fromkeys(batch.shape[1:] for batch in inputs.values()):
        alike = {key: batch for key, batch in inputs.items() if batch.shape[1:] == shape}
        embedding = tower(jnp.concatenate(list(alike.values())))
        ends = list(accumulate(len(batch) for batch in alike.values()))[:-1]
        embeddings |= dict(zip(alike, jnp.split(embedding, ends)))
    return embeddings
