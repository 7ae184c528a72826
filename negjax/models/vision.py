"""The image tower: pixels -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import VisionConfig
from negjax.models.attention import AttentionPool, CrossAttentionPool
from negjax.models.compute import Compute
from negjax.models.convolution import embed_patches
from negjax.models.elementwise import BatchNorm, LayerNorm, activate
from negjax.models.linear import Linear
from negjax.models.transformer import Transformer


class PatchStem(nnx.Module):
    """MobileCLIP's: two convolutions over windows that do not overlap, each with a batch norm and the activation.

    A patch of pixels becomes 2 x 2 positions.
    """

    def __init__(self, config: VisionConfig):
        width, size = config.stem_width, config.patch_size // 4
        self.conv1, self.norm1 = Linear((size, size, 3, width), bias=False, inputs=3), BatchNorm(width)
        self.conv2, self.norm2 = Linear((2, 2, width, width), bias=False, inputs=3), BatchNorm(width)
        self.activation = config.activation

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        x_BHWC = activate(self.norm1(embed_patches(x_BHWC, self.conv1)), self.activation)
        return activate(self.norm2(embed_patches(x_BHWC, self.conv2)), self.activation)


class VisionTower(nnx.Module):
    """A vision transformer: patches, pre-norm blocks, one pooled vector, the embedding."""

    def __init__(self, config: VisionConfig, embed_dim: int, compute: Compute):
        width, eps = config.width, config.layer_norm_eps
        self.stem = PatchStem(config) if config.stem_width else None
        self.patch = Linear((*config.patch_shape, width), config.patch_bias, inputs=3)
        self.class_token = nnx.Param(jnp.zeros(width)) if config.class_token else None
        self.positions = nnx.Param(jnp.zeros((config.positions, width)))
        self.norm_pre = LayerNorm(width, eps) if config.norm_pre else None
        self.transformer = Transformer(config, causal=False, compute=compute)
        crosses = config.pool == "cross_attention"
        self.norm_post = None if crosses and config.norm_after_pool else LayerNorm(width, eps)
        self.pool = _attention_pool(config, embed_dim)
        pooled_width = embed_dim if crosses else width
        bias = config.projection_bias
        self.projection = Linear((pooled_width, embed_dim), bias) if config.projection else None
        self.config = config
        self.compute = compute

    def __call__(self, image_BHWC: jax.Array) -> jax.Array:
        """Encodes images.

        Args:
            image_BHWC: Normalised float pixels [B, S, S, 3].

        Returns:
            Embeddings [B, E], float32, not normalised to unit length.
        """
        at = 0 if pools_one_token(self.config) else None
        pooled_BD = self.pooled(self.transformer(self.embed(image_BHWC), at=at))
        return (self.projection(pooled_BD) if self.projection else pooled_BD).astype(jnp.float32)

    def embed(self, image_BHWC: jax.Array) -> jax.Array:
        """Class token, patches, positions and norm: the first block's input [B, T, D]."""
        x_BTD = self.embed_patches(image_BHWC)
        if not self.config.class_position:
            x_BTD = x_BTD + self.positions[...]
        if self.class_token is not None:
            class_B1D = jnp.broadcast_to(self.class_token[...], (x_BTD.shape[0], 1, self.config.width))
            x_BTD = jnp.concatenate([class_B1D, x_BTD], axis=1)
        if self.config.class_position:
            x_BTD = x_BTD + self.positions[...]
        return self.norm_pre(x_BTD) if self.norm_pre else x_BTD

    def embed_patches(self, image_BHWC: jax.Array) -> jax.Array:
        """Embeds the G x G patches: [B, S, S, 3] -> [B, G * G, D], float32."""
        x_BHWC = image_BHWC.astype(self.compute.dtype)
        patches_BGGD = embed_patches(self.stem(x_BHWC) if self.stem else x_BHWC, self.patch)
        return patches_BGGD.reshape(image_BHWC.shape[0], -1, self.config.width).astype(jnp.float32)

    def pooled(self, x_BTD: jax.Array) -> jax.Array:
        """Pools the last block's output into one normed vector [B, D]; [B, E] with "cross_attention".

        Args:
            x_BTD: Of all tokens, or of the class token alone if the tower pools by it.
        """
        if self.pool:
            return self.pool(self.norm_post(x_BTD) if self.norm_post else x_BTD)
        assert self.norm_post is not None
        if self.config.pool == "token":  # the norm acts on each token alone
            return self.norm_post(x_BTD[:, 0])
        patches_BTD = x_BTD[:, int(self.config.class_token) :]
        if self.config.norm_after_pool:
            return self.norm_post(patches_BTD.mean(axis=1))
        return self.norm_post(patches_BTD).mean(axis=1)


def pools_one_token(config: VisionConfig) -> bool:
    """Whether the last block computes the class token alone."""
    return config.pool == "token" and config.rotary == "none"


def _attention_pool(config: VisionConfig, embed_dim: int) -> AttentionPool | CrossAttentionPool | None:
    if config.pool == "attention":
        return AttentionPool(config)
    if config.pool == "cross_attention":
        return CrossAttentionPool(config.width, embed_dim, config.pool_heads)
    return None
