"""The text tower: token ids -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.layers import Compute, LayerNorm, Linear, Transformer
from negjax.models.presets import CLIPConfig


class TextTower(nnx.Module):
    """CLIP's causal text transformer, pooled at the end token (the largest id of a row).

    No token sees what follows it, so zeros after the end token never change the embedding: rows may be cut at the
    longest caption of a batch.
    """

    def __init__(self, config: CLIPConfig, compute: Compute):
        text, eps = config.text, config.layer_norm_eps
        self.tokens = nnx.Param(jnp.zeros((text.vocab_size, text.width)))
        self.positions = nnx.Param(jnp.zeros((text.context_length, text.width)))
        self.transformer = Transformer(
            text.depth,
            text.width,
            text.heads,
            text.mlp_width,
            causal=True,
            activation=config.activation,
            eps=eps,
            compute=compute,
        )
        self.norm_final = LayerNorm(text.width, eps)
        self.projection = Linear((text.width, config.embed_dim), bias=False)
        self.compute = compute

    def __call__(self, text_BT: jax.Array) -> jax.Array:
        """Token ids [B, T], T <= context length, to embeddings [B, E] (float32, not normalised to unit length)."""
        length, context = text_BT.shape[1], self.positions.shape[0]
        if length > context:
            raise ValueError(f"captions of {length} tokens do not fit a context of {context}")
        x_BTD = self.tokens[...][text_BT] + self.positions[...][:length]
        x_BTD = self.transformer(x_BTD)
        end_B = jnp.argmax(text_BT, axis=1)
        pooled_BD = jnp.take_along_axis(x_BTD, end_B[:, None, None], axis=1)[:, 0]
        return self.projection(self.norm_final(pooled_BD)).astype(jnp.float32)
