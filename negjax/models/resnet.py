"""The image tower of OpenAI's ResNet CLIPs (Radford et al. 2021): pixels -> embedding."""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.attention import attend
from negjax.models.compute import Compute
from negjax.models.convnets import ResNetConfig
from negjax.models.convolution import Convolution, average_pool
from negjax.models.elementwise import BatchNorm
from negjax.models.linear import Linear
from negjax.models.transformer import in_order, run_blocks

_EXPANSION = 4  # a block's output, in multiples of its inner width


class Bottleneck(nnx.Module):
    """A residual block; with a stride, averages stand before the last convolution and before the shortcut's."""

    def __init__(self, inputs: int, width: int, stride: int):
        outputs = _EXPANSION * width
        self.conv1, self.norm1 = Linear((inputs, width), bias=False), BatchNorm(width)
        self.conv2, self.norm2 = Convolution(3, width, width), BatchNorm(width)
        self.conv3, self.norm3 = Linear((width, outputs), bias=False), BatchNorm(outputs)
        shortcut = stride > 1 or inputs != outputs
        self.downsample = Linear((inputs, outputs), bias=False) if shortcut else None
        self.norm_downsample = BatchNorm(outputs) if shortcut else None
        self.stride = stride

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        y = jax.nn.relu(self.norm1(self.conv1(x_BHWC)))
        y = average_pool(jax.nn.relu(self.norm2(self.conv2(y))), self.stride)
        y = self.norm3(self.conv3(y))
        if self.downsample and self.norm_downsample:
            x_BHWC = self.norm_downsample(self.downsample(average_pool(x_BHWC, self.stride)))
        return jax.nn.relu(x_BHWC + y)


class Stem(nnx.Module):
    """Three convolutions and an average: a quarter of the image's height and width."""

    def __init__(self, width: int):
        self.conv1, self.norm1 = Convolution(3, 3, width // 2, stride=2), BatchNorm(width // 2)
        self.conv2, self.norm2 = Convolution(3, width // 2, width // 2), BatchNorm(width // 2)
        self.conv3, self.norm3 = Convolution(3, width // 2, width), BatchNorm(width)

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        x_BHWC = jax.nn.relu(self.norm1(self.conv1(x_BHWC)))
        x_BHWC = jax.nn.relu(self.norm2(self.conv2(x_BHWC)))
        return average_pool(jax.nn.relu(self.norm3(self.conv3(x_BHWC))), 2)


class ResNetStage(nnx.Module):
    """Blocks of one width, of which the first may halve the size."""

    def __init__(self, inputs: int, width: int, depth: int, stride: int, compute: Compute):
        first = Bottleneck(inputs, width, stride)
        rest = [Bottleneck(_EXPANSION * width, width, 1) for _ in range(1, depth)]
        self.blocks = nnx.Dict({str(i): block for i, block in enumerate([first, *rest])})
        self.compute = compute

    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        first, *rest = in_order(self.blocks)
        return run_blocks(rest, run_blocks([first], x_BHWC, self.compute), self.compute)


class MeanQueryPool(nnx.Module):
    """Attention whose query is the first token, here the mean of the others, and a map to the embedding."""

    def __init__(self, width: int, embed_dim: int, heads: int):
        self.qkv = Linear((width, 3, width))
        self.out = Linear((width, embed_dim))
        self.heads = heads

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        batch, length, width = x_BTD.shape
        q_B1NH = self.qkv.apply_slice(x_BTD[:, :1], slice(0, 1)).reshape(batch, 1, self.heads, -1)
        kv_BT2NH = self.qkv.apply_slice(x_BTD, slice(1, 3)).reshape(batch, length, 2, self.heads, -1)
        return self.out(attend(q_B1NH, kv_BT2NH[:, :, 0], kv_BT2NH[:, :, 1]).reshape(batch, width))


class ResNet(nnx.Module):
    """Stem, four stages, positions with their mean before them, and attention pooling to the embedding."""

    def __init__(self, config: ResNetConfig, embed_dim: int, compute: Compute):
        width = config.width
        self.stem = Stem(width)
        stages, inputs = [], width
        for number, depth in enumerate(config.depths):
            stages.append(ResNetStage(inputs, width << number, depth, 1 if number == 0 else 2, compute))
            inputs = _EXPANSION * (width << number)
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.positions = nnx.Param(jnp.zeros((config.tokens, config.final_width)))
        self.pool = MeanQueryPool(config.final_width, embed_dim, config.heads)
        self.compute = compute

    def __call__(self, image_BHWC: jax.Array) -> jax.Array:
        """Encodes images: normalised float pixels [B, S, S, 3] -> embeddings [B, E], float32, not unit length."""
        x_BHWC = self.stem(image_BHWC.astype(self.compute.dtype))
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x_BHWC = stage(x_BHWC)
        x_BTD = x_BHWC.reshape(x_BHWC.shape[0], -1, x_BHWC.shape[-1]).astype(jnp.float32)
        x_BTD = jnp.concatenate([x_BTD.mean(1, keepdims=True), x_BTD], axis=1) + self.positions[...]
        return self.pool(x_BTD.astype(self.compute.dtype)).astype(jnp.float32)
