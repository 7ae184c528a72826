"""The text tower that is an encoder of transformers (BERT, RoBERTa, XLM-RoBERTa, NLLB), as open_clip projects it.

Source: transformers 5.24, BertModel, RobertaModel and M2M100Encoder; open_clip_torch 3.3.0, HFTextEncoder.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from negjax.models.architecture import TextEncoderConfig
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.linear import Linear
from negjax.models.transformer import Transformer


class TextEncoder(nnx.Module):
    """A bidirectional encoder, pooled over the tokens that are not padding.

    No token attends to padding, so that rows may be trimmed to the longest caption of a batch.
    """

    def __init__(self, config: TextEncoderConfig, embed_dim: int, compute: Compute):
        width, eps = config.width, config.layer_norm_eps
        self.tokens = nnx.Param(jnp.zeros((config.vocab_size, width)))
        learned = config.positions != "waves"
        self.positions = nnx.Param(jnp.zeros((config.max_positions, width))) if learned else None
        self.token_types = nnx.Param(jnp.zeros((config.token_types, width))) if config.token_types else None
        self.norm_embedding = None if config.norm_first else LayerNorm(width, eps)
        self.transformer = Transformer(config, causal=False, compute=compute)
        self.norm_final = LayerNorm(width, eps) if config.norm_first else None
        self.pooler = Linear((width, width)) if config.pool == "pooler" else None
        hidden, mlp = hidden_width(config, embed_dim), config.projection == "mlp"
        self.projection = Linear((width, embed_dim), bias=False) if config.projection == "linear" else None
        self.hidden = Linear((width, hidden), bias=False) if mlp else None
        self.output = Linear((hidden, embed_dim), bias=False) if mlp else None
        self.config = config

    def __call__(self, text_BT: jax.Array) -> jax.Array:
        """Encodes token ids.

        Args:
            text_BT: Token ids [B, T], T <= context length.

        Returns:
            Embeddings [B, E], float32, not normalised to unit length.
        """
        mask_BT = text_BT != self.config.pad_id
        if self.config.mask == "tail":
            mask_BT = jnp.cumsum(mask_BT[:, ::-1], axis=1)[:, ::-1] > 0
        at = None if self.config.pool == "mean" else 0
        x_BD = self.pooled(self.transformer(self.embed(text_BT), mask_BT[:, None], at), mask_BT)
        if self.projection:
            x_BD = self.projection(x_BD)
        elif self.hidden and self.output:
            x_BD = self.output(activate(self.hidden(x_BD), "gelu"))
        return x_BD.astype(jnp.float32)

    def embed(self, text_BT: jax.Array) -> jax.Array:
        """Embeddings of tokens, positions and the first token type: the first block's input [B, T, D].

        Raises:
            ValueError: If T exceeds the context length.
        """
        config, length = self.config, text_BT.shape[1]
        if length > config.context_length:
            raise ValueError(f"captions of {length} tokens do not fit a context of {config.context_length}")
        position = jnp.arange(length)
        if config.positions != "index":
            mask_BT = text_BT != config.pad_id
            position = jnp.cumsum(mask_BT, axis=1) * mask_BT + config.pad_id
        table_PD = jnp.asarray(_waves(config)) if self.positions is None else self.positions[...]
        x_BTD = self.tokens[...][text_BT]
        if config.scale_tokens:
            x_BTD = x_BTD * np.float32(config.width**0.5)
        if self.token_types is not None:
            x_BTD = x_BTD + self.token_types[...][0]
        x_BTD = x_BTD + table_PD[position]
        return self.norm_embedding(x_BTD) if self.norm_embedding else x_BTD

    def pooled(self, x_BTD: jax.Array, mask_BT: jax.Array) -> jax.Array:
        """The last block's output, of all tokens for a mean, as one vector [B, D]. mask_BT: False for padding."""
        if self.config.pool == "mean":
            x_BTD = self.norm_final(x_BTD) if self.norm_final else x_BTD
            count_B1 = jnp.maximum(mask_BT.sum(axis=1, keepdims=True), 1)
            sum_BD = jnp.where(mask_BT[..., None], x_BTD, 0).astype(jnp.float32).sum(axis=1)
            return (sum_BD / count_B1).astype(x_BTD.dtype)
        first_BD = self.norm_final(x_BTD[:, 0]) if self.norm_final else x_BTD[:, 0]
        return jnp.tanh(self.pooler(first_BD)) if self.pooler else first_BD


def hidden_width(config: TextEncoderConfig, embed_dim: int) -> int:
    """Channels between the two layers of an "mlp" projection."""
    return (config.width + embed_dim) // 2


def _waves(config: TextEncoderConfig) -> np.ndarray:
    """NLLB's table of positions, float32 [P, D]: sines, then cosines, of falling frequencies; zero for padding."""
    half = config.width // 2
    frequency_H = np.exp(np.arange(half, dtype=np.float32) * np.float32(-np.log(10000) / max(half - 1, 1)))
    angle_PH = np.arange(config.context_length + config.pad_id + 1, dtype=np.float32)[:, None] * frequency_H
    table_PD = np.zeros((len(angle_PH), config.width), np.float32)
    table_PD[:, :half], table_PD[:, half : 2 * half] = np.sin(angle_PH), np.cos(angle_PH)
    table_PD[config.pad_id] = 0
    return table_PD
