"""The transformer that both towers share. Shapes: B batch, T tokens, D width, N heads, H head width, F MLP width.

Modules only declare the shapes of their parameters; `negjax.models.init` gives the values.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.presets import Activation


@dataclass(frozen=True)
class Compute:
    """How a tower is computed, without changing what it computes.

    dtype: type of the matrix products; parameters stay float32, and layer norms, softmax and embeddings are float32.
    remat: recompute each block in the backward pass instead of keeping its activations.
    scan: run the blocks as one `jax.lax.scan` (compile time no longer grows with depth).
    """

    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False
    scan: bool = False


def activate(x: jax.Array, activation: Activation) -> jax.Array:
    """Exact GELU, or OpenAI CLIP's x * sigmoid(1.702 x)."""
    return x * jax.nn.sigmoid(1.702 * x) if activation == "quick_gelu" else jax.nn.gelu(x, approximate=False)


class Linear(nnx.Module):
    """y = x @ kernel (+ bias), in the type of x."""

    def __init__(self, shape: tuple[int, ...], bias: bool = True):
        self.kernel = nnx.Param(jnp.zeros(shape))
        self.bias = nnx.Param(jnp.zeros(shape[1:])) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jnp.tensordot(x, self.kernel[...].astype(x.dtype), axes=1)
        return y if self.bias is None else y + self.bias[...].astype(x.dtype)


class LayerNorm(nnx.Module):
    """Layer norm over the last axis, computed in float32, returned in the type of x."""

    def __init__(self, width: int, eps: float):
        self.scale = nnx.Param(jnp.ones(width))
        self.bias = nnx.Param(jnp.zeros(width))
        self.eps = eps

    def __call__(self, x: jax.Array) -> jax.Array:
        x32 = x.astype(jnp.float32)
        mean = x32.mean(-1, keepdims=True)
        variance = jnp.square(x32 - mean).mean(-1, keepdims=True)
        normed = (x32 - mean) * jax.lax.rsqrt(variance + self.eps)
        return (normed * self.scale[...] + self.bias[...]).astype(x.dtype)


class Attention(nnx.Module):
    """Multi-head self-attention; `qkv` is one kernel [D, 3, D], so that a split over heads cuts all three alike."""

    def __init__(self, width: int, heads: int, causal: bool):
        self.qkv = Linear((width, 3, width))
        self.out = Linear((width, width))
        self.heads = heads
        self.causal = causal

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        batch, length, width = x_BTD.shape
        qkv_BT3NH = self.qkv(x_BTD).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = (qkv_BT3NH[:, :, i] for i in range(3))
        mixed_BTNH = jax.nn.dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(mixed_BTNH.reshape(batch, length, width))


class Block(nnx.Module):
    """A pre-norm transformer block: attention, then a two-layer perceptron."""

    def __init__(self, width: int, heads: int, mlp_width: int, causal: bool, activation: Activation, eps: float):
        self.norm1 = LayerNorm(width, eps)
        self.attention = Attention(width, heads, causal)
        self.norm2 = LayerNorm(width, eps)
        self.up = Linear((width, mlp_width))
        self.down = Linear((mlp_width, width))
        self.activation: Activation = activation

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        x_BTD = x_BTD + self.attention(self.norm1(x_BTD))
        hidden_BTF = activate(self.up(self.norm2(x_BTD)), self.activation)
        return x_BTD + self.down(hidden_BTF)


class Transformer(nnx.Module):
    """`depth` blocks, stored one by one; a scanned run stacks them inside the compiled function."""

    def __init__(
        self,
        depth: int,
        width: int,
        heads: int,
        mlp_width: int,
        *,
        causal: bool,
        activation: Activation,
        eps: float,
        compute: Compute,
    ):
        self.blocks = nnx.Dict({str(i): Block(width, heads, mlp_width, causal, activation, eps) for i in range(depth)})
        self.compute = compute

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        x_BTD = x_BTD.astype(self.compute.dtype)
        split = [nnx.split(block) for block in self.blocks.values()]
        graphdef, states = split[0][0], [state for _, state in split]

        def run(x: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
            return nnx.merge(graphdef, state)(x), None

        if self.compute.remat:
            run = jax.checkpoint(run, prevent_cse=not self.compute.scan)
        if self.compute.scan:
            return jax.lax.scan(run, x_BTD, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))[0]
        for state in states:
            x_BTD, _ = run(x_BTD, state)
        return x_BTD
