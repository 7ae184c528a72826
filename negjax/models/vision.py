"""The image tower: pixels -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import VisionConfig
from negjax.models.attention import AttentionPool
from negjax.models.compute import Compute
from negjax.models.elementwise import LayerNorm
from negjax.models.linear import Linear, affine
from negjax.models.transformer import Transformer


class VisionTower(nnx.Module):
    """A vision transformer: patches, pre-norm blocks, one pooled vector, the embedding."""

    def __init__(self, config: VisionConfig, embed_dim: int, compute: Compute):
        width, eps = config.width, config.layer_norm_eps
        self.patch = Linear((config.patch_size, config.patch_size, 3, width), config.patch_bias, inputs=3)
        self.class_token = nnx.Param(jnp.zeros(width)) if config.class_token else None
        self.positions = nnx.Param(jnp.zeros((config.tokens, width)))
        self.norm_pre = LayerNorm(width, eps) if config.norm_pre else None
        self.transformer = Transformer(config, causal=False, compute=compute)
        self.norm_post = LayerNorm(width, eps)
        self.pool = AttentionPool(config) if config.pool == "attention" else None
        self.projection = Linear((width, embed_dim), bias=False) if config.projection else None
        self.config = config
        self.compute = compute

    def __call__(self, image_BHWC: jax.Array) -> jax.Array:
        """Encodes images.

        Args:
            image_BHWC: Normalised float pixels [B, S, S, 3].

        Returns:
            Embeddings [B, E], float32, not normalised to unit length.
        """
        pooled_BD = self.pooled(self.transformer(self.embed(image_BHWC)))
        return (self.projection(pooled_BD) if self.projection else pooled_BD).astype(jnp.float32)

    def embed(self, image_BHWC: jax.Array) -> jax.Array:
        """Class token, patches, positions and norm: the first block's input [B, T, D]."""
        x_BTD = self.embed_patches(image_BHWC)
        if self.class_token is not None:
            class_B1D = jnp.broadcast_to(self.class_token[...], (x_BTD.shape[0], 1, self.config.width))
            x_BTD = jnp.concatenate([class_B1D, x_BTD], axis=1)
        x_BTD = x_BTD + self.positions[...]
        return self.norm_pre(x_BTD) if self.norm_pre else x_BTD

    def embed_patches(self, image_BHWC: jax.Array) -> jax.Array:
        """Embeds the G x G patches: [B, S, S, 3] -> [B, G * G, D], float32.

        A convolution whose stride is the patch size, computed as a matrix product.
        """
        grid, size, batch = self.config.grid, self.config.patch_size, image_BHWC.shape[0]
        x = image_BHWC[:, : grid * size, : grid * size].astype(self.compute.dtype)
        x = x.reshape(batch, grid, size, grid, size, 3)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, grid * grid, size * size * 3)
        bias = None if self.patch.bias is None else self.patch.bias[...]
        return affine(x, self.patch.kernel[...].reshape(-1, self.config.width), bias).astype(jnp.float32)

    def pooled(self, x_BTD: jax.Array) -> jax.Array:
        """Pools the last block's output [B, T, D] into one normed vector [B, D]."""
        if self.pool:
            return self.pool(self.norm_post(x_BTD))
        if self.config.pool == "token":  # the norm acts on each token alone
            return self.norm_post(x_BTD[:, 0])
        patches_BTD = x_BTD[:, int(self.config.class_token) :]
        if self.config.norm_after_pool:
            return self.norm_post(patches_BTD.mean(axis=1))
        return self.norm_post(patches_BTD).mean(axis=1)
