"""The transformer that both towers share. Shapes: B batch, T tokens, D width, N heads, H head width, F MLP width.

Modules only declare the shapes of their parameters; `negjax.models.init` gives the values.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation, TextConfig, VisionConfig
from negjax.runtime.mesh import FSDP_AXIS


@dataclass(frozen=True)
class Compute:
    """How a tower is computed, without changing what it computes.

    dtype: type of the matrix products; parameters stay float32, and layer norms, softmax and embeddings are float32.
    float32 is that on accelerators, too, which would otherwise round its factors.
    remat: what the backward pass computes again instead of keeping it. "none" keeps all activations; "dots" keeps the
    results of the linear layers, and computes attention, norms and activations again; "full" keeps each block's input
    alone.
    scan: run the blocks as one `jax.lax.scan` (compile time no longer grows with depth).
    """

    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: Literal["none", "dots", "full"] = "none"
    scan: bool = False


POLICIES = {
    "none": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": None,
}


def activate(x: jax.Array, activation: Activation) -> jax.Array:
    """Exact GELU ("gelu"), its tanh form ("gelu_tanh"), or OpenAI CLIP's x * sigmoid(1.702 x) ("quick_gelu")."""
    return x * jax.nn.sigmoid(1.702 * x) if activation == "quick_gelu" else jax.nn.gelu(x, activation == "gelu_tanh")


def affine(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, cut: int | None = None) -> jax.Array:
    """x @ kernel (+ bias) over the last axis of x and the first of the kernel, in the type of x.

    Where that is bfloat16, the gradients of kernel and bias are still summed over rows in float32: in bfloat16 they
    would be rounded before the devices add theirs up, and again in that sum.

    cut: the axis along which this device has only a part of the kernel, in a `jax.shard_map` over FSDP. The whole is
    gathered, in the type of x, and is not kept for the backward pass.
    """
    plain = cut is None and x.dtype == kernel.dtype
    return _affine(cut, x, kernel, bias) if plain else _affine_by_hand(cut, x, kernel, bias)


def _affine(cut: int | None, x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    y = jnp.tensordot(x, _whole(kernel.astype(x.dtype), cut), axes=1, precision=_precision(x))
    return y if bias is None else y + bias.astype(x.dtype)


def _precision(x: jax.Array) -> jax.lax.Precision | None:
    """For a product with x: TPUs round float32 factors to bfloat16 otherwise, GPUs to TF32."""
    return jax.lax.Precision.HIGHEST if x.dtype == jnp.float32 else None


def _whole(kernel: jax.Array, cut: int | None) -> jax.Array:
    return kernel if cut is None else jax.lax.all_gather(kernel, FSDP_AXIS, axis=cut, tiled=True)


def _affine_and_inputs(cut: int | None, x: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> tuple:
    return _affine(cut, x, kernel, bias), (x, kernel, bias)


def _affine_gradients(cut: int | None, inputs: tuple, dy: jax.Array) -> tuple:
    x, kernel, bias = inputs
    rows, outputs = list(range(x.ndim - 1)), list(range(1, kernel.ndim))
    whole = _whole(kernel.astype(dy.dtype), cut)
    precision = _precision(dy)
    dx = jnp.tensordot(dy, whole, axes=(list(range(x.ndim - 1, dy.ndim)), outputs), precision=precision)
    dkernel = jnp.tensordot(x, dy, axes=(rows, rows), precision=precision, preferred_element_type=kernel.dtype)
    if cut is not None:
        dkernel = jax.lax.psum_scatter(dkernel, FSDP_AXIS, scatter_dimension=cut, tiled=True)
    return dx, dkernel, None if bias is None else dy.astype(bias.dtype).sum(rows)


_affine_by_hand = jax.custom_vjp(_affine, nondiff_argnums=(0,))
_affine_by_hand.defvjp(_affine_and_inputs, _affine_gradients)


class Linear(nnx.Module):
    """y = x @ kernel (+ bias), in the type of x. The kernel has `inputs` input axes, then output axes.

    A kernel that is smaller than was declared is this device's part of it, see `affine`.
    """

    def __init__(self, shape: tuple[int, ...], bias: bool = True, inputs: int = 1):
        self.shape = shape
        self.kernel = nnx.Param(jnp.zeros(shape))
        self.bias = nnx.Param(jnp.zeros(shape[inputs:])) if bias else None

    @property
    def cut(self) -> int | None:
        """The axis along which this device has only a part of the kernel."""
        return next((axis for axis, size in enumerate(self.shape) if self.kernel.shape[axis] < size), None)

    def __call__(self, x: jax.Array) -> jax.Array:
        return affine(x, self.kernel[...], None if self.bias is None else self.bias[...], self.cut)

    def part(self, x: jax.Array, of: slice) -> jax.Array:
        """Only this part of the first output axis, of a kernel that is whole."""
        return affine(x, self.kernel[...][:, of], None if self.bias is None else self.bias[...][of])


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


def attend(q_BTNH: jax.Array, k_BSNH: jax.Array, v_BSNH: jax.Array, causal: bool = False) -> jax.Array:
    """Scaled dot-product attention [B, T, N, H] in the type of v, its softmax in float32.

    On a CPU, and for sequences as short as these, a train step is faster by a seventh with heads before tokens, as
    here, than with `jax.nn.dot_product_attention`.
    """
    q_BNTH, k_BNSH, v_BNSH = (x.transpose(0, 2, 1, 3) for x in (q_BTNH, k_BSNH, v_BSNH))
    precision = _precision(v_BSNH)
    scores_BNTS = jnp.einsum("bnth,bnsh->bnts", q_BNTH, k_BNSH, precision=precision, preferred_element_type=jnp.float32)
    scores_BNTS *= q_BTNH.shape[-1] ** -0.5
    if causal:
        past_TS = jnp.tril(jnp.ones(scores_BNTS.shape[2:], bool))
        scores_BNTS = jnp.where(past_TS, scores_BNTS, -jnp.inf)
    weights_BNTS = jax.nn.softmax(scores_BNTS, axis=-1).astype(v_BSNH.dtype)
    return jnp.matmul(weights_BNTS, v_BNSH, precision=precision).transpose(0, 2, 1, 3)


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
        mixed_BTNH = attend(qkv_BT3NH[:, :, 0], qkv_BT3NH[:, :, 1], qkv_BT3NH[:, :, 2], self.causal)
        return self.out(mixed_BTNH.reshape(batch, length, width))


class Block(nnx.Module):
    """A pre-norm transformer block: attention, then a two-layer perceptron."""

    def __init__(self, config: VisionConfig | TextConfig, causal: bool):
        self.norm1 = LayerNorm(config.width, config.layer_norm_eps)
        self.attention = Attention(config.width, config.heads, causal)
        self.norm2 = LayerNorm(config.width, config.layer_norm_eps)
        self.up = Linear((config.width, config.mlp_width))
        self.down = Linear((config.mlp_width, config.width))
        self.activation: Activation = config.activation

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        x_BTD = x_BTD + self.attention(self.norm1(x_BTD))
        return x_BTD + self.down(activate(self.up(self.norm2(x_BTD)), self.activation))


class Transformer(nnx.Module):
    """`depth` blocks, stored one by one; a scanned run stacks them inside the compiled function."""

    def __init__(self, config: VisionConfig | TextConfig, *, causal: bool, compute: Compute):
        self.blocks = nnx.Dict({str(i): Block(config, causal) for i in range(config.depth)})
        self.depth = config.depth
        self.compute = compute

    def in_order(self) -> list[Block]:
        """The blocks as they are run; in the dictionary "10" comes before "2"."""
        return [self.blocks[str(i)] for i in range(self.depth)]

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        x_BTD = x_BTD.astype(self.compute.dtype)
        split = [nnx.split(block) for block in self.in_order()]
        graphdef, states = split[0][0], [state for _, state in split]

        def run(x: jax.Array, state: nnx.State) -> tuple[jax.Array, None]:
            return nnx.merge(graphdef, state)(x), None

        if self.compute.remat != "none" or self.in_order()[0].up.cut is not None:  # to gather again is to compute again
            run = jax.checkpoint(run, prevent_cse=not self.compute.scan, policy=POLICIES[self.compute.remat])
        if self.compute.scan:
            return jax.lax.scan(run, x_BTD, jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))[0]
        for state in states:
            x_BTD, _ = run(x_BTD, state)
        return x_BTD


class AttentionPool(nnx.Module):
    """SigLIP's pooling: a learned query attends to all tokens, and a perceptron is added to what it finds.

    Source: Zhai et al. 2022 (Scaling Vision Transformers), the MAP head.
    """

    def __init__(self, config: VisionConfig):
        width = config.width
        self.query = nnx.Param(jnp.zeros(width))
        self.qkv = Linear((width, 3, width))
        self.out = Linear((width, width))
        self.norm = LayerNorm(width, config.layer_norm_eps)
        self.up = Linear((width, config.mlp_width))
        self.down = Linear((config.mlp_width, width))
        self.config = config

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        """[B, T, D] -> [B, D]."""
        batch, length, width = x_BTD.shape
        heads, dtype = self.config.heads, x_BTD.dtype
        q_NH = self.qkv.part(self.query[...], slice(0, 1)).reshape(heads, -1)
        kv_BT2NH = self.qkv.part(x_BTD, slice(1, 3)).reshape(batch, length, 2, heads, width // heads)
        q_B1NH = jnp.broadcast_to(q_NH, (batch, 1, heads, width // heads)).astype(dtype)
        mixed_B1NH = attend(q_B1NH, kv_BT2NH[:, :, 0], kv_BT2NH[:, :, 1])
        pooled_BD = self.out(mixed_B1NH.reshape(batch, width))
        return pooled_BD + self.down(activate(self.up(self.norm(pooled_BD)), self.config.activation))
