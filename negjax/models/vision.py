"""The image tower: pixels -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.layers import Compute, LayerNorm, Linear, Transformer
from negjax.models.presets import CLIPConfig


class VisionTower(nnx.Module):
    """CLIP's vision transformer: patches, class token, pre-norm blocks, the class token projected to the embedding."""

    def __init__(self, config: CLIPConfig, compute: Compute):
        vision, eps = config.vision, config.layer_norm_eps
        self.patch = Linear((vision.patch_size, vision.patch_size, 3, vision.width), bias=False)
        self.class_token = nnx.Param(jnp.zeros(vision.width))
        self.positions = nnx.Param(jnp.zeros((vision.tokens, vision.width)))
        self.norm_pre = LayerNorm(vision.width, eps)
        self.transformer = Transformer(
            vision.depth,
            vision.width,
            vision.heads,
            vision.mlp_width,
            causal=False,
            activation=config.activation,
            eps=eps,
            compute=compute,
        )
        self.norm_post = LayerNorm(vision.width, eps)
        self.projection = Linear((vision.width, config.embed_dim), bias=False)
        self.config = vision
        self.compute = compute

    def __call__(self, image_BHWC: jax.Array) -> jax.Array:
        """Normalised pixels [B, S, S, 3] to embeddings [B, E] (float32, not normalised to unit length)."""
        patches_BTD = self.embed_patches(image_BHWC)
        first_B1D = jnp.broadcast_to(
            self.class_token[...].astype(patches_BTD.dtype), (len(image_BHWC), 1, self.config.width)
        )
        x_BTD = jnp.concatenate([first_B1D, patches_BTD], axis=1)
        x_BTD = self.norm_pre(x_BTD + self.positions[...].astype(x_BTD.dtype))
        x_BTD = self.transformer(x_BTD)
        return self.projection(self.norm_post(x_BTD[:, 0])).astype(jnp.float32)

    def embed_patches(self, image_BHWC: jax.Array) -> jax.Array:
        """A convolution with stride = patch size, as the matrix product that it is: [B, S, S, 3] -> [B, T-1, D]."""
        batch, height, width, channels = image_BHWC.shape
        size = self.config.patch_size
        rows, columns = height // size, width // size
        x = image_BHWC.astype(self.compute.dtype).reshape(batch, rows, size, columns, size, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows * columns, size * size * channels)
        kernel = self.patch.kernel[...].reshape(-1, self.config.width)
        return x @ kernel.astype(x.dtype)
