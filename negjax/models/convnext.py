"""The image tower of open_clip's ConvNeXt CLIPs (Liu et al. 2022; timm): pixels -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.compute import Compute
from negjax.models.convnets import ConvNeXtConfig
from negjax.models.convolution import Convolution, embed_patches
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.linear import Linear
from negjax.models.transformer import in_order, run_blocks

_STEM_PATCH, _STAGE_PATCH = 4, 2
_DEPTHWISE_SIZE = 7


class ConvNeXtBlock(nnx.Module):
    """A depthwise convolution, a norm and a perceptron over channels, scaled and added to the input."""

    def __init__(self, width: int, eps: float):
        self.depthwise = Convolution(_DEPTHWISE_SIZE, width, width, groups=width, bias=True)
        self.norm = LayerNorm(width, eps)
        self.up = Linear((width, 4 * width))
        self.down = Linear((4 * width, width))
        self.layer_scale = nnx.Param(jnp.ones(width))

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        y = self.down(activate(self.up(self.norm(self.depthwise(x_BHWC))), "gelu"))
        return x_BHWC + (y * self.layer_scale[...]).astype(x_BHWC.dtype)


class ConvNeXtStage(nnx.Module):
    """Blocks of one width, before which all stages but the first halve the size."""

    def __init__(self, inputs: int, width: int, depth: int, halves: bool, eps: float, compute: Compute):
        self.norm = LayerNorm(inputs, eps) if halves else None
        self.downsample = Linear((_STAGE_PATCH, _STAGE_PATCH, inputs, width), inputs=3) if halves else None
        self.blocks = nnx.Dict({str(i): ConvNeXtBlock(width, eps) for i in range(depth)})
        self.compute = compute

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        if self.norm and self.downsample:
            x_BHWC = embed_patches(self.norm(x_BHWC), self.downsample)
        return run_blocks(in_order(self.blocks), x_BHWC, self.compute)


class MlpProjection(nnx.Module):
    """A perceptron to the embedding, whose hidden layer is twice as wide."""

    def __init__(self, width: int, embed_dim: int):
        self.up = Linear((width, 2 * embed_dim))
        self.down = Linear((2 * embed_dim, embed_dim), bias=False)

    def __call__(self, x_BD: jax.Array) -> jax.Array:
        return self.down(activate(self.up(x_BD), "gelu"))


class ConvNeXt(nnx.Module):
    """Patches, four stages, the mean over positions, a norm and the projection."""

    def __init__(self, config: ConvNeXtConfig, embed_dim: int, compute: Compute):
        eps, widths = config.layer_norm_eps, config.widths
        self.patch = Linear((_STEM_PATCH, _STEM_PATCH, 3, widths[0]), inputs=3)
        self.norm_patch = LayerNorm(widths[0], eps)
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            ConvNeXtStage(inputs, width, depth, number > 0, eps, compute)
            for number, (inputs, width, depth) in enumerate(zip((widths[0], *widths), widths, config.depths))
        )
        self.norm_post = LayerNorm(config.final_width, eps)
        mlp = config.projection == "mlp"
        self.projection = (
            MlpProjection(config.final_width, embed_dim) if mlp else Linear((config.final_width, embed_dim), bias=False)
        )
        self.compute = compute

    def __call__(self, image_BHWC: jax.Array) -> jax.Array:
        """Encodes images: normalised float pixels [B, S, S, 3] -> embeddings [B, E], float32, not unit length."""
        x_BHWC = self.norm_patch(embed_patches(image_BHWC.astype(self.compute.dtype), self.patch))
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x_BHWC = stage(x_BHWC)
        pooled_BD = self.norm_post(x_BHWC.astype(jnp.float32).mean((1, 2)))
        return self.projection(pooled_BD.astype(self.compute.dtype)).astype(jnp.float32)
