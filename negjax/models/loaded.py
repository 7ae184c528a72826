"""A model ready for use: weights with everything that is needed to use them rightly."""

from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh

from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.architecture import CLIPConfig, from_dict, to_dict
from negjax.models.layers import Compute
from negjax.runtime.sharding import map_over_batch_shards
from negjax.tokenizers import AnyTokenizer, tokenizer_from_dict

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass
class LoadedModel:
    """Parameters, architecture, preprocessing and tokenizer.

    info: what is said of the model beside its results (JSON-able). origin: the weights file that it comes from, through
    any training: file, sha256, format. stored: for weights just converted, the types in which that file holds them.
    mesh: over which the parameters lie, as `negjax.runtime.sharding` says; then batches do, too, and each device
    encodes its own rows.
    """

    config: CLIPConfig
    params: clip.Params
    preprocess: Preprocess
    tokenizer: AnyTokenizer
    info: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    compute: Compute = Compute()
    mesh: Mesh | None = None

    def encode_image(self, pixels_BHWC: Any) -> jax.Array:
        """uint8 pixels [B, S, S, 3], as `preprocess` makes them, to float32 embeddings [B, E], not unit length."""
        return _encode_image(self.config, self.preprocess, self.compute, self.mesh, self.params, pixels_BHWC)

    def encode_text(self, text_BT: Any) -> jax.Array:
        """Token ids [B, T], as `tokenizer` makes them, to float32 embeddings [B, E], not unit length."""
        return _encode_text(self.config, self.compute, self.mesh, self.params, text_BT)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _encode_image(
    config: CLIPConfig,
    preprocess: Preprocess,
    compute: Compute,
    mesh: Mesh | None,
    params: clip.Params,
    pixels_BHWC: jax.Array,
) -> jax.Array:
    def run(params: clip.Params, pixels_BHWC: jax.Array) -> jax.Array:
        return clip.encode_image(config, params, normalise(pixels_BHWC, preprocess), compute)

    return map_over_batch_shards(run, mesh, params, pixels_BHWC)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _encode_text(
    config: CLIPConfig, compute: Compute, mesh: Mesh | None, params: clip.Params, text_BT: jax.Array
) -> jax.Array:
    def run(params: clip.Params, text_BT: jax.Array) -> jax.Array:
        return clip.encode_text(config, params, text_BT, compute)

    return map_over_batch_shards(run, mesh, params, text_BT)


def usual_preprocess(config: CLIPConfig) -> Preprocess:
    """What models of this form are trained with: CLIP's, SigLIP's or CLIPA's (open_clip's pretrained.py)."""
    size = config.vision.image_size
    if config.vision.pool == "attention":
        return Preprocess(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), resize_mode="squash")
    if config.vision.pool == "average":
        return Preprocess(size, IMAGENET_MEAN, IMAGENET_STD, "bilinear", "squash")
    return Preprocess(size)


def to_meta(model: LoadedModel) -> dict[str, Any]:
    """All but the weights, JSON-able: what a checkpoint stores beside them."""
    return {
        "arch": to_dict(model.config),
        "preprocess": asdict(model.preprocess),
        "tokenizer": model.tokenizer.to_dict(),
        "origin": model.origin,
        "stored": model.stored,
    }


def from_meta(meta: dict[str, Any], params: clip.Params) -> LoadedModel:
    """The inverse of `to_meta`. Raises NegjaxError, KeyError or TypeError for what was not written by it."""
    config, preprocess = from_dict(meta["arch"]), dict(meta["preprocess"])
    if preprocess.keys() != (known := {each.name for each in fields(Preprocess)}):
        raise KeyError(f"preprocess has {', '.join(sorted(preprocess))} instead of {', '.join(sorted(known))}")
    return LoadedModel(
        config,
        params,
        Preprocess(**preprocess | {name: tuple(preprocess[name]) for name in ("mean", "std")}),
        tokenizer_from_dict(meta["tokenizer"], config.text.context_length),
        origin=meta["origin"],
        stored=meta["stored"],
    )
