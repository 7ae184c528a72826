"""A model ready for use: weights with everything that is needed to use them rightly."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax

from negjax.media.images import Preprocess, normalise
from negjax.models import clip
from negjax.models.layers import Compute
from negjax.models.presets import CLIPConfig
from negjax.tokenizer import Tokenizer


@dataclass
class LoadedModel:
    """Parameters, architecture, preprocessing and tokenizer. `info` says where they come from (JSON-able)."""

    config: CLIPConfig
    params: clip.Params
    preprocess: Preprocess
    tokenizer: Tokenizer
    info: dict[str, Any] = field(default_factory=dict)
    compute: Compute = Compute()

    def encode_image(self, pixels_BHWC: Any) -> jax.Array:
        """uint8 pixels [B, S, S, 3], as `preprocess` makes them, to float32 embeddings [B, E], not unit length."""
        return _encode_image(self.config, self.preprocess, self.compute, self.params, pixels_BHWC)

    def encode_text(self, text_BT: Any) -> jax.Array:
        """Token ids [B, T] (zeros after the end token) to float32 embeddings [B, E], not unit length."""
        return _encode_text(self.config, self.compute, self.params, text_BT)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _encode_image(
    config: CLIPConfig, preprocess: Preprocess, compute: Compute, params: clip.Params, pixels_BHWC: jax.Array
) -> jax.Array:
    return clip.encode_image(config, params, normalise(pixels_BHWC, preprocess), compute)


@partial(jax.jit, static_argnums=(0, 1))
def _encode_text(config: CLIPConfig, compute: Compute, params: clip.Params, text_BT: jax.Array) -> jax.Array:
    return clip.encode_text(config, params, text_BT, compute)
