"""Attention: scaled dot products, multi-head self-attention, and pooling with a learned query.

Shapes: B batch, T queries, S keys, K some of the tokens, D width, N heads, H head width, E width of the embeddings.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from negjax.models.architecture import Activation, AnyTowerConfig, VisionConfig
from negjax.models.elementwise import LayerNorm, activate
from negjax.models.fused_attention import KERNELS, Kernel, suits
from negjax.models.linear import Linear, affine, matmul_precision
from negjax.models.rotary import rotate

_POOL_EPS = 1e-5  # of the norms in CoCa's pooling, whatever the tower's
_MOST_KEYS = 1024  # of longer sequences, as a detector's, the scores of one head at a time are kept in memory
TokenIndex = int | jax.Array  # one token, the same in all rows, from the end if negative; or K of each row, [B, K]


def take_tokens(x_BTD: jax.Array, at: TokenIndex) -> jax.Array:
    """Some tokens of each row [B, K, D]; K = 1 for the same one in all rows."""
    return x_BTD[:, at, None] if isinstance(at, int) else jnp.take_along_axis(x_BTD, at[:, :, None], axis=1)


def attend(
    q_BTNH: jax.Array,
    k_BSNH: jax.Array,
    v_BSNH: jax.Array,
    causal: bool = False,
    mask_BTS: jax.Array | None = None,
    kernel: Kernel = "xla",
) -> jax.Array:
    """Scaled dot-product attention, with its softmax in float32.

    On a CPU, and for sequences as short as CLIP's, a train step is a seventh faster with heads before tokens, as here,
    than with `jax.nn.dot_product_attention`.

    Args:
        q_BTNH: Queries.
        k_BSNH: Keys.
        v_BSNH: Values.
        causal: Whether a query sees only keys up to its own position.
        mask_BTS: False for keys that a query does not see; [B, 1, S] where all queries of a row see the same.
        kernel: What computes it, where it suits the arguments; else the compiler's own products.

    Returns:
        The mixed values [B, T, N, H], in the type of `v_BSNH`.
    """
    if kernel != "xla" and suits(kernel, q_BTNH, k_BSNH, causal, mask_BTS):
        return KERNELS[kernel](q_BTNH, k_BSNH, v_BSNH)
    if k_BSNH.shape[1] > _MOST_KEYS and k_BSNH.shape[2] > 1:

        def attend_head(qkv: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
            q_BT1H, k_BS1H, v_BS1H = (x[:, :, None] for x in qkv)
            return attend(q_BT1H, k_BS1H, v_BS1H, causal, mask_BTS)[:, :, 0]

        heads = (q_BTNH.transpose(2, 0, 1, 3), k_BSNH.transpose(2, 0, 1, 3), v_BSNH.transpose(2, 0, 1, 3))
        return jax.lax.map(attend_head, heads).transpose(1, 2, 0, 3)
    q_BNTH, k_BNSH, v_BNSH = (x.transpose(0, 2, 1, 3) for x in (q_BTNH, k_BSNH, v_BSNH))
    scores_BNTS = _scores(q_BNTH, k_BNSH) * q_BNTH.shape[-1] ** -0.5
    if causal:
        past_TS = jnp.tril(jnp.ones(scores_BNTS.shape[2:], bool))
        scores_BNTS = jnp.where(past_TS, scores_BNTS, -jnp.inf)
    if mask_BTS is not None:
        # A finite number, so that a row of nothing but padding is no nan.
        scores_BNTS = jnp.where(mask_BTS[:, None], scores_BNTS, jnp.finfo(jnp.float32).min)
    weights_BNTS = jax.nn.softmax(scores_BNTS, axis=-1).astype(v_BSNH.dtype)
    return jnp.matmul(weights_BNTS, v_BNSH, precision=matmul_precision(v_BNSH)).transpose(0, 2, 1, 3)


@jax.custom_vjp
def _scores(q_BNTH: jax.Array, k_BNSH: jax.Array) -> jax.Array:
    """Scalar products of queries and keys [B, N, T, S], float32.

    JAX's own gradient multiplies the float32 gradient of the scores with bfloat16 keys and queries made float32, at a
    fraction of the speed; here it becomes bfloat16, as in PyTorch and in fused kernels.
    """
    precision = matmul_precision(k_BNSH)
    return jnp.einsum("bnth,bnsh->bnts", q_BNTH, k_BNSH, precision=precision, preferred_element_type=jnp.float32)


def _scores_forward(q_BNTH: jax.Array, k_BNSH: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _scores(q_BNTH, k_BNSH), (q_BNTH, k_BNSH)


def _scores_backward(inputs: tuple[jax.Array, jax.Array], dscores_BNTS: jax.Array) -> tuple[jax.Array, jax.Array]:
    q_BNTH, k_BNSH = inputs
    precision, dscores_BNTS = matmul_precision(k_BNSH), dscores_BNTS.astype(k_BNSH.dtype)
    dq_BNTH = jnp.einsum("bnts,bnsh->bnth", dscores_BNTS, k_BNSH, precision=precision)
    dk_BNSH = jnp.einsum("bnts,bnth->bnsh", dscores_BNTS, q_BNTH, precision=precision)
    return dq_BNTH, dk_BNSH


_scores.defvjp(_scores_forward, _scores_backward)


class _Projections(Linear):
    """Queries, keys and values as one kernel [D, 3, D]; without a bias of the keys the other two are [2, D]."""

    def __init__(self, width: int, key_bias: bool):
        super().__init__((width, 3, width))
        if not key_bias:
            self.bias = nnx.Param(jnp.zeros((2, width)))
        self.key_bias = key_bias

    def bias_value(self) -> jax.Array | None:
        """The biases [3, D], with zeros for keys that have none."""
        if self.key_bias:
            return super().bias_value()
        assert self.bias is not None
        query_D, value_D = self.bias[...]
        return jnp.stack([query_D, jnp.zeros_like(query_D), value_D])


class Attention(nnx.Module):
    """Multi-head self-attention; `qkv` is one kernel [D, 3, D], so that sharding over heads divides all three alike."""

    def __init__(self, config: AnyTowerConfig, causal: bool, kernel: Kernel = "xla"):
        vision = config if isinstance(config, VisionConfig) else None
        self.qkv = _Projections(config.width, vision is None or vision.key_bias)
        sub_norm = vision is not None and vision.block == "sub_norm"
        self.norm = LayerNorm(config.width, config.layer_norm_eps) if sub_norm else None
        self.out = Linear((config.width, config.width))
        self.heads = config.heads
        self.causal = causal
        self.kernel: Kernel = kernel
        self.rotary = vision if vision and vision.rotary != "none" else None

    def __call__(self, x_BTD: jax.Array, mask_BTS: jax.Array | None = None, at: TokenIndex | None = None) -> jax.Array:
        """The tokens' mixtures [B, T, D]; those of the tokens `at` alone, [B, K, D], without rotary positions."""
        mixed_BTD = self._mix(x_BTD, mask_BTS) if at is None else self._mix_at(x_BTD, mask_BTS, at)
        return self.out(self.norm(mixed_BTD) if self.norm else mixed_BTD)

    def _mix(self, x_BTD: jax.Array, mask_BTS: jax.Array | None) -> jax.Array:
        batch, length, width = x_BTD.shape
        qkv_BT3NH = self.qkv(x_BTD).reshape(batch, length, 3, self.heads, width // self.heads)
        q_BTNH, k_BTNH, v_BTNH = (qkv_BT3NH[:, :, i] for i in range(3))
        if self.rotary:
            q_BTNH, k_BTNH = rotate(q_BTNH, self.rotary), rotate(k_BTNH, self.rotary)
        mixed_BTNH = attend(q_BTNH, k_BTNH, v_BTNH, self.causal, mask_BTS, self.kernel)
        return mixed_BTNH.reshape(batch, length, width)

    def _mix_at(self, x_BTD: jax.Array, mask_BTS: jax.Array | None, at: TokenIndex) -> jax.Array:
        batch, length, width = x_BTD.shape
        q_BKD = self.qkv.apply_slice(take_tokens(x_BTD, at), slice(0, 1))
        q_BKNH = q_BKD.reshape(batch, -1, self.heads, width // self.heads)
        kv_BT2NH = self.qkv.apply_slice(x_BTD, slice(1, 3)).reshape(batch, length, 2, self.heads, -1)
        if mask_BTS is not None and mask_BTS.shape[1] > 1:
            mask_BTS = take_tokens(mask_BTS, at)
        if self.causal:
            last_BK = jnp.broadcast_to(at % length, (batch, 1)) if isinstance(at, int) else at
            past_BKS = jnp.arange(length) <= last_BK[:, :, None]
            mask_BTS = past_BKS if mask_BTS is None else past_BKS & mask_BTS
        return attend(q_BKNH, kv_BT2NH[:, :, 0], kv_BT2NH[:, :, 1], mask_BTS=mask_BTS).reshape(batch, -1, width)


class AttentionPool(nnx.Module):
    """SigLIP's and PE-Core's pooling: a learned query attends to all tokens, and a perceptron's output is added.

    Source: Zhai et al. 2022 (Scaling Vision Transformers), the MAP head.
    """

    def __init__(self, config: VisionConfig):
        width, mlp_width = config.width, config.pool_mlp_width or config.mlp_width
        self.query = nnx.Param(jnp.zeros(width))
        self.qkv = Linear((width, 3, width))
        self.out = Linear((width, width))
        self.norm = LayerNorm(width, config.layer_norm_eps)
        self.up = Linear((width, mlp_width))
        self.down = Linear((mlp_width, width))
        self.heads = config.pool_heads if config.pool_mlp_width else config.heads
        self.activation: Activation = config.activation

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        """Pools tokens [B, T, D] into one vector [B, D]."""
        batch, length, width = x_BTD.shape
        heads, dtype = self.heads, x_BTD.dtype
        q_NH = self.qkv.apply_slice(self.query[...], slice(0, 1)).reshape(heads, -1)
        kv_BT2NH = self.qkv.apply_slice(x_BTD, slice(1, 3)).reshape(batch, length, 2, heads, width // heads)
        q_B1NH = jnp.broadcast_to(q_NH, (batch, 1, heads, width // heads)).astype(dtype)
        mixed_B1NH = attend(q_B1NH, kv_BT2NH[:, :, 0], kv_BT2NH[:, :, 1])
        pooled_BD = self.out(mixed_B1NH.reshape(batch, width))
        return pooled_BD + self.down(activate(self.up(self.norm(pooled_BD)), self.activation))


class CrossAttentionPool(nnx.Module):
    """CoCa's pooling: a learned query, as wide as the embedding, attends to all tokens, and a norm follows.

    Source: Yu et al. 2022 (CoCa), the contrastive query alone; open_clip, AttentionalPooler.
    """

    def __init__(self, width: int, embed_dim: int, heads: int):
        self.query = nnx.Param(jnp.zeros(embed_dim))
        self.norm_query = LayerNorm(embed_dim, _POOL_EPS)
        self.norm_tokens = LayerNorm(width, _POOL_EPS)
        self.q = Linear((embed_dim, embed_dim), bias=False)
        self.kv = Linear((width, 2, embed_dim), bias=False)
        self.bias = nnx.Param(jnp.zeros((3, embed_dim)))  # of q, k and v
        self.out = Linear((embed_dim, embed_dim))
        self.norm = LayerNorm(embed_dim, _POOL_EPS)
        self.heads = heads

    def __call__(self, x_BTD: jax.Array) -> jax.Array:
        """Pools tokens [B, T, D] into one vector [B, E]."""
        batch, length, _ = x_BTD.shape
        bias_3E = self.bias[...]
        q_NH = affine(self.norm_query(self.query[...]), self.q.kernel[...], bias_3E[0]).reshape(self.heads, -1)
        kv_BT2E = affine(self.norm_tokens(x_BTD), self.kv.kernel[...], bias_3E[1:])
        kv_BT2NH = kv_BT2E.reshape(batch, length, 2, self.heads, -1)
        q_B1NH = jnp.broadcast_to(q_NH, (batch, 1, *q_NH.shape)).astype(x_BTD.dtype)
        mixed_B1NH = attend(q_B1NH, kv_BT2NH[:, :, 0], kv_BT2NH[:, :, 1])
        return self.norm(self.out(mixed_B1NH.reshape(batch, -1)))
