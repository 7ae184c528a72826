"""The text tower: token ids -> embedding."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from negjax.models.architecture import TextConfig, TextEncoderConfig
from negjax.models.attention import TokenIndex, take_tokens
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm
from negjax.models.linear import Linear
from negjax.models.packing import PackedTexts, caption_starts
from negjax.models.transformer import Transformer


class TextTower(nnx.Module):
    """CLIP's text transformer, pooled at one token.

    In a causal tower that pools at the end token, padding after that token never changes the embedding: rows may be
    trimmed to the longest caption of a batch (see `lengths`), or hold several captions (see `packing`).
    """

    def __init__(self, config: TextConfig, embed_dim: int, compute: Compute):
        self.tokens = nnx.Param(jnp.zeros((config.vocab_size, config.width)))
        self.class_token = nnx.Param(jnp.zeros(config.width)) if config.pool == "class" else None
        self.positions = nnx.Param(jnp.zeros((config.tokens, config.width)))
        self.transformer = Transformer(config, causal=config.causal, compute=compute)
        self.norm_final = LayerNorm(config.width, config.layer_norm_eps)
        bias = config.projection_bias
        self.projection = Linear((config.width, embed_dim), bias) if config.projection else None
        self.config = config

    def __call__(self, text_BT: jax.Array) -> jax.Array:
        """Encodes token ids.

        Args:
            text_BT: Token ids [B, T], T <= context length.

        Returns:
            Embeddings [B, E], float32, not normalised to unit length.
        """
        x_B1D = self.transformer(self.embed(text_BT), self.key_mask(text_BT), self.pooled_token(text_BT))
        return self._project(x_B1D[:, 0])

    def encode_steered(self, text_BT: jax.Array, direction_LD: jax.Array, strength: jax.Array) -> jax.Array:
        """Encodes token ids, while the pooled token is pushed along a direction after each block.

        Its state h becomes (1 - strength) h + strength |h| direction. Source: see `negjax.negation.steering`.

        Args:
            text_BT: Token ids [B, T].
            direction_LD: A unit vector for each block.
            strength: How far it is pushed, from 0 to 1.

        Returns:
            Embeddings [B, E] as of `__call__`.
        """
        at = self.pooled_token(text_BT)

        def steer(index: int, x_BTD: jax.Array) -> jax.Array:
            state_B1D = take_tokens(x_BTD, at)
            length_B11 = jnp.linalg.norm(state_B1D.astype(jnp.float32), axis=-1, keepdims=True)
            pushed_B1D = (1 - strength) * state_B1D + strength * length_B11 * direction_LD[index]
            token_B1 = jnp.broadcast_to(at % x_BTD.shape[1], (len(x_BTD), 1))
            return x_BTD.at[jnp.arange(len(x_BTD))[:, None], token_B1].set(pushed_B1D.astype(x_BTD.dtype))

        x_B1D = self.transformer(self.embed(text_BT), self.key_mask(text_BT), at, steer)
        return self._project(x_B1D[:, 0])

    def block_states(self, text_BT: jax.Array) -> jax.Array:
        """The states of the pooled token after each block [L, B, D], float32."""
        at, states = self.pooled_token(text_BT), []

        def keep(index: int, x_BTD: jax.Array) -> jax.Array:
            states.append(take_tokens(x_BTD, at)[:, 0].astype(jnp.float32))
            return x_BTD

        self.transformer(self.embed(text_BT), self.key_mask(text_BT), at, keep)
        return jnp.stack(states)

    def encode_packed(self, texts: PackedTexts) -> jax.Array:
        """Encodes captions that share rows.

        Args:
            texts: R rows with K slots, for a tower that `can_pack` allows.

        Returns:
            Embeddings [R, K, E] as of `__call__`; those of slots that are not used mean nothing.
        """
        x_RTD, is_same_RTT = self._embed_packed(texts)
        return self._project(self.transformer(x_RTD, is_same_RTT, jnp.asarray(texts.end_RK)))

    def encode_tapped(self, texts: PackedTexts, blocks: tuple[int, ...]) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """As `encode_packed`, and states of all tokens inside the tower.

        Args:
            texts: R rows with K slots, for a tower that `can_pack` allows.
            blocks: After how many blocks; fewer than the tower has.

        Returns:
            Embeddings [R, K, E], and for each of `blocks` the states under the final norm [R, T, D].
        """
        x_RTD, is_same_RTT = self._embed_packed(texts)
        x_RKD, states = self.transformer.tapped(x_RTD, is_same_RTT, jnp.asarray(texts.end_RK), blocks)
        return self._project(x_RKD), tuple(self.norm_final(states[block]) for block in blocks)

    def _embed_packed(self, texts: PackedTexts) -> tuple[jax.Array, jax.Array]:
        """The first block's input [R, T, D], and which tokens are of the same caption [R, T, T]."""
        token_RT, end_RK = jnp.asarray(texts.token_RT), jnp.asarray(texts.end_RK)
        start_RT = caption_starts(end_RK, token_RT.shape[1])
        position_RT = jnp.arange(token_RT.shape[1]) - start_RT
        x_RTD = self.tokens[...][token_RT] + self.positions[...][position_RT]
        return x_RTD, start_RT[:, :, None] == start_RT[:, None]

    def _project(self, x: jax.Array) -> jax.Array:
        """Embeddings [..., E] of the last block's outputs [..., D]."""
        x = self.norm_final(x)
        return (self.projection(x) if self.projection else x).astype(jnp.float32)

    def embed(self, text_BT: jax.Array) -> jax.Array:
        """Token and position embeddings, the first block's input [B, T, D]; T + 1 with a class token.

        Raises:
            ValueError: If T exceeds the context length, or is shorter than it in a tower that attends to padding.
        """
        length, context = text_BT.shape[1], self.config.context_length
        if length > context:
            raise ValueError(f"captions of {length} tokens do not fit a context of {context}")
        if length < context and self.config.sees_padding:
            raise ValueError(f"captions of {length} tokens: this tower reads all {context}, padding included")
        x_BTD = self.tokens[...][text_BT]
        if self.class_token is not None:
            class_B1D = jnp.broadcast_to(self.class_token[...], (x_BTD.shape[0], 1, self.config.width))
            x_BTD = jnp.concatenate([x_BTD, class_B1D], axis=1)
        return x_BTD + self.positions[...][: x_BTD.shape[1]]

    def key_mask(self, text_BT: jax.Array) -> jax.Array | None:
        """Which keys of a tower with a class token may be attended to [B, 1, T + 1]; None for all.

        Shifted by one against the tokens, as the models were trained: the first padding token is attended to, and the
        class token attends to itself only where there is no padding. Source: open_clip, _build_additive_mask.
        """
        if self.class_token is None:
            return None
        return jnp.pad(text_BT != self.config.pad_token, ((0, 0), (1, 0)), constant_values=True)[:, None]

    def pooled_token(self, text_BT: jax.Array) -> TokenIndex:
        """The token of each caption whose output of the last block becomes the embedding."""
        if self.config.pool in ("last", "class"):
            return -1
        is_end_BT = text_BT if self.config.pool == "argmax" else text_BT == self.config.end_token
        return jnp.argmax(is_end_BT, axis=1, keepdims=True)


def lengths(config: TextConfig | TextEncoderConfig, token_NT: np.ndarray) -> np.ndarray:
    """How many ids of each caption decide its embedding.

    Args:
        config: The text tower.
        token_NT: Token ids of N captions.

    Returns:
        int64 [N]: the ids up to and including the end token, or the last that is not padding in a tower that masks
        padding; T for a tower that attends to padding.
    """
    if isinstance(config, TextEncoderConfig):
        return token_NT.shape[1] - (token_NT != config.pad_id)[:, ::-1].argmax(axis=1)
    if config.sees_padding:
        return np.full(len(token_NT), token_NT.shape[1])
    return (token_NT if config.pool == "argmax" else token_NT == config.end_token).argmax(axis=1) + 1
