"""A model ready for use: weights with architecture, preprocessing and tokenizer, and its checkpoint metadata."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, from_dict, to_dict
from negjax.models.compute import Compute
from negjax.models.encoder_inputs import check_pixels, check_tokens
from negjax.models.packing import PackedTexts
from negjax.models.queries import encode_query, score
from negjax.models.text_adapters import adapter_name
from negjax.negation.scorer import SteeredText
from negjax.negation.table import NO_METHOD
from negjax.runtime.sharding import map_over_batch_shards
from negjax.tokenizers import AnyTokenizer, tokenizer_from_dict
from negjax.tokenizers.routed import RoutedTokenizer

# Fields that checkpoints of 0.1.0 don't have.
_LATER_PREPROCESS: dict[str, Any] = {"rgb_first": False, "resize_size": None, "crop_rounding": "even"}


@dataclass
class LoadedModel:
    """A model with everything that its embeddings depend on.

    Attributes:
        config: The architecture.
        params: The tree of float32 parameters.
        preprocess: How images become pixels.
        tokenizer: How texts become token ids, all of them within the text tower's vocabulary.
        info: The description of the model in results, JSON-able.
        origin: The weights file from which it was first read, kept through any training: file, sha256, format.
        stored: For weights just converted, the number types of that file ("types") and the shape of its logit scale.
        compute: How the towers are computed.
        mesh: The mesh over which the parameters are sharded (see `negjax.runtime.sharding`). Batches are sharded over
            it, too, and each device encodes its own rows.
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
        """Encodes images.

        Args:
            pixels_BHWC: uint8 [B, S, S, 3] made by `preprocess`, or a list of [S, S, 3].

        Returns:
            float32 embeddings [B, E], not unit length.

        Raises:
            TypeError: These are not pixels of this model's size.
        """
        return self.encode_pixels(check_pixels(pixels_BHWC, self.config.vision.image_size))

    def encode_text(self, text_BT: Any) -> jax.Array:
        """Encodes token ids.

        Args:
            text_BT: integers [B, T] made by `tokenizer`; T may be less than the context length in a causal tower.

        Returns:
            float32 embeddings [B, E], not unit length.

        Raises:
            TypeError: These are not token ids, or of another length.
            NegjaxError: An id is not in the vocabulary.
        """
        marked = isinstance(self.tokenizer, RoutedTokenizer)
        return self.encode_tokens(check_tokens(text_BT, self.config.text, marked))

    def encode_query(self, texts: str | Sequence[str], negation: str = NO_METHOD) -> np.ndarray:
        """Encodes queries as vectors for any vector database.

        Args:
            texts: one query or several, such as "a beach without people".
            negation: how queries that deny something are encoded: "none" as they stand, or a method of
                `negjax.negation.table` that makes one vector, with constants where they are given:
                "space,threshold=0.9". All other queries are encoded as they stand.

        Returns:
            float32 [Q, E], unit length; images rank by the cosine with their embedding.

        Raises:
            TypeError: A query is no string.
            NegjaxError: The method is unknown, or makes no single vector.
        """
        return encode_query(self, texts, negation)

    def score(self, queries: str | Sequence[str], images: Any, negation: str = NO_METHOD) -> np.ndarray:
        """Scores images by queries.

        Args:
            queries: one query or several.
            images: pixels as for `encode_image`, or embeddings [N, E] of any length.
            negation: as for `encode_query`, with any method.

        Returns:
            float32 [Q, N].

        Raises:
            TypeError: A query is no string, or these are no images of this model.
            NegjaxError: The method is unknown.
        """
        return score(self, queries, images, negation)

    def encode_pixels(self, pixels_BHWC: Any) -> jax.Array:
        """As `encode_image`, unchecked: for pixels of any type in the scale 0 to 255 that may lie on many devices."""
        return _encode_image(self.config, self.preprocess, self.compute, self.mesh, self.params, pixels_BHWC)

    def encode_tokens(self, text_BT: Any) -> jax.Array:
        """As `encode_text`, unchecked: for ids that may lie on many devices."""
        return _encode_text(self.config, self.compute, self.mesh, self.params, text_BT)

    def encode_steered(self, text_BT: Any, steered: SteeredText) -> jax.Array:
        """As `encode_tokens`, with the text tower steered as a text asks for.

        Raises:
            NegjaxError: This tower cannot be steered so.
        """
        direction_LD = np.array(steered.directions.rows, np.float32)
        self.check_steerable(direction_LD.shape)
        return _encode_steered(self.config, self.compute, self.params, text_BT, direction_LD, steered.strength)

    def block_states(self, text_BT: Any) -> jax.Array:
        """The states of the text tower's pooled token after each block [L, B, D], float32. Raises as above."""
        self.check_steerable()
        return _block_states(self.config, self.compute, self.params, text_BT)

    def check_steerable(self, shape: tuple[int, ...] = ()) -> None:
        """Raises NegjaxError unless the text tower can be steered, along directions of this shape where it is given."""
        text = self.config.text
        if name := adapter_name(self.params):
            raise NegjaxError(f"negation steering and the adapter {name} do not go together: choose another method")
        if not isinstance(text, TextConfig):
            raise NegjaxError(
                f"negation steering needs CLIP's text transformer, and {self.config.name} has another encoder: choose "
                "another method"
            )
        if shape not in ((), (text.depth, text.width)):
            raise NegjaxError(
                f"the directions of negation steering are {shape}, the text tower of {self.config.name} has "
                f"{text.depth} blocks of width {text.width}: calibrate this model"
            )

    def encode_packed(self, texts: PackedTexts) -> jax.Array:
        """The embeddings [R, K, E] of captions that share rows, which may lie on many devices."""
        return _encode_packed(self.config, self.compute, self.mesh, self.params, texts)


def check_vocabulary(config: CLIPConfig, tokenizer: AnyTokenizer) -> None:
    """Checks that a tokenizer fits the text tower.

    Raises:
        NegjaxError: It has ids beyond the tower's table, where JAX would take the last row, never puts the token at
            which the tower pools, so that all texts would be pooled at their first token, or pads with another token
            than the tower masks.
    """
    ids, rows = tokenizer.vocab_size, config.text.vocab_size
    if ids > rows:
        raise NegjaxError(
            f"the tokenizer has {ids} token ids, the text tower of {config.name} embeds {rows}: "
            "use the tokenizer that belongs to the weights"
        )
    if config.text.pool == "eos" and config.text.end_token not in tokenizer([""])[0]:
        raise NegjaxError(
            f"the text tower of {config.name} pools at the end token {config.text.end_token}, which the tokenizer puts "
            "in no text: use the config and the tokenizer that belong to the weights"
        )
    if isinstance(config.text, TextEncoderConfig) and config.text.mask == "tail":
        padding = getattr(tokenizer, "pad_id", 0)  # CLIP's pads with 0
        if padding != config.text.pad_id:
            raise NegjaxError(
                f"the tokenizer pads with the id {padding}, the text tower of {config.name} takes {config.text.pad_id} "
                "for padding: use the config and the tokenizer that belong to the weights"
            )


def input_settings(model: LoadedModel) -> dict[str, Any]:
    """What decides how images and texts become a model's inputs: "preprocessing mean", "tokenizer clean" and so on.

    A tokenizer.json is given by the sha256 of its content, however it is laid out as text.
    """
    tokenizer = model.tokenizer.to_dict() | {"clean": model.tokenizer.clean}
    if "tokenizer_json" in tokenizer:
        content = json.dumps(json.loads(tokenizer["tokenizer_json"]), sort_keys=True)
        tokenizer["tokenizer_json"] = f"sha256 {hashlib.sha256(content.encode()).hexdigest()}"
    preprocess = {f"preprocessing {name}": value for name, value in asdict(model.preprocess).items()}
    return preprocess | {f"tokenizer {name}": value for name, value in tokenizer.items()}


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


@partial(jax.jit, static_argnums=(0, 1, 2))
def _encode_packed(
    config: CLIPConfig, compute: Compute, mesh: Mesh | None, params: clip.Params, texts: PackedTexts
) -> jax.Array:
    def run(params: clip.Params, texts: PackedTexts) -> jax.Array:
        return clip.encode_packed(config, params, texts, compute)

    return map_over_batch_shards(run, mesh, params, texts)


@partial(jax.jit, static_argnums=(0, 1))
def _encode_steered(
    config: CLIPConfig,
    compute: Compute,
    params: clip.Params,
    text_BT: jax.Array,
    direction_LD: jax.Array,
    strength: jax.Array,
) -> jax.Array:
    return clip.encode_steered(config, params, text_BT, direction_LD, strength, compute)


@partial(jax.jit, static_argnums=(0, 1))
def _block_states(config: CLIPConfig, compute: Compute, params: clip.Params, text_BT: jax.Array) -> jax.Array:
    return clip.block_states(config, params, text_BT, compute)


def to_meta(model: LoadedModel) -> dict[str, Any]:
    """All of a model except the weights, JSON-able, as a checkpoint stores it."""
    return {
        "arch": to_dict(model.config),
        "preprocess": asdict(model.preprocess),
        "tokenizer": model.tokenizer.to_dict(),
        "origin": model.origin,
        "stored": model.stored,
    }


def from_meta(meta: dict[str, Any], params: clip.Params) -> LoadedModel:
    """The inverse of `to_meta`.

    Raises:
        NegjaxError, KeyError, TypeError: If `meta` was not written by `to_meta`.
    """
    config, preprocess = from_dict(meta["arch"]), _LATER_PREPROCESS | dict(meta["preprocess"])
    if preprocess.keys() != (names := {field.name for field in fields(Preprocess)}):
        raise KeyError(f"preprocess has {', '.join(sorted(preprocess))} instead of {', '.join(sorted(names))}")
    tokenizer = tokenizer_from_dict(meta["tokenizer"], config.text.context_length)
    check_vocabulary(config, tokenizer)
    return LoadedModel(
        config,
        params,
        Preprocess(**preprocess | {name: tuple(preprocess[name]) for name in ("mean", "std")}),
        tokenizer,
        origin=meta["origin"],
        stored=meta["stored"],
    )
