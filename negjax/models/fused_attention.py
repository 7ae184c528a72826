"""Attention that keeps its scores on the chip: a Pallas kernel for TPUs, cuDNN's for NVIDIA GPUs; and which is used.

CLIP's sequences are short, so a program of the kernel holds the whole rows of scores of two heads or one.
Shapes: B batch, T tokens, N heads, H head width, D = N H, L columns of a block.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.sharding import PartitionSpec

from negjax.errors import NegjaxError
from negjax.runtime.mesh import TENSOR_AXIS

Kernel = Literal["xla", "cudnn", "pallas"]
_PLATFORMS = {"cudnn": "gpu", "pallas": "tpu"}
_LANES = 128  # columns that a TPU loads at a time
_LONGEST = 1024  # tokens whose scores, of one head and in float32, take 4 MB of the chip's memory


def choose_kernel(setting: str, platform: str, dtype: str) -> Kernel:
    """The kernel that a training run uses.

    "auto" is decided by the bytes that the TPU's compiler moves (`tools/attention_traffic.py`): a quarter for B/16, a
    third for L/14. On a GPU nothing was measured, so it is XLA there.

    Args:
        setting: config.model.attention: "auto" or a kernel.
        platform: "cpu", "gpu" or "tpu".
        dtype: type of the products.

    Raises:
        NegjaxError: the kernel does not run there, or not in this type.
    """
    if setting == "auto":
        return "pallas" if (platform, dtype) == ("tpu", "bfloat16") else "xla"
    if setting == "xla":
        return "xla"
    kernel: Kernel = "cudnn" if setting == "cudnn" else "pallas"
    if platform != _PLATFORMS[kernel]:
        raise NegjaxError(
            f"config.model.attention: {kernel} runs on a {_PLATFORMS[kernel].upper()}, not on this {platform.upper()}: "
            "choose auto or xla"
        )
    if dtype != "bfloat16":
        raise NegjaxError(f"config.model.attention: {kernel} computes in bfloat16: set config.model.dtype, too, or xla")
    return kernel


def suits(kernel: Kernel, q_BTNH: jax.Array, k_BSNH: jax.Array, causal: bool, mask_BTS: jax.Array | None) -> bool:
    """Whether a kernel takes these arguments, and is worth it. Texts in packed rows are masked."""
    if mask_BTS is not None or causal or q_BTNH.shape != k_BSNH.shape:
        return False
    _, length, heads, width = q_BTNH.shape
    mesh = jax.sharding.get_abstract_mesh()
    columns = heads * width // (1 if mesh.empty else mesh.shape[TENSOR_AXIS])
    return kernel == "cudnn" or (_LANES < length <= _LONGEST and _block_columns(columns, width) > 0)


def _block_columns(columns: int, width: int) -> int:
    """Columns of whole heads that a TPU loads at a time; 0 if there is no such number."""
    loaded = max(width, _LANES)
    return loaded if loaded % width == 0 and loaded % _LANES == 0 and columns % loaded == 0 else 0


def cudnn_attention(q_BTNH: jax.Array, k_BTNH: jax.Array, v_BTNH: jax.Array) -> jax.Array:
    """cuDNN's flash attention: the mixed values [B, T, N, H]."""
    return jax.nn.dot_product_attention(q_BTNH, k_BTNH, v_BTNH, implementation="cudnn")


def pallas_attention(q_BTNH: jax.Array, k_BTNH: jax.Array, v_BTNH: jax.Array, interpret: bool = False) -> jax.Array:
    """Attention of a TPU, of which the backward pass computes the weights again.

    Args:
        q_BTNH: Queries, with heads and widths that `suits` allows.
        k_BTNH: Keys.
        v_BTNH: Values.
        interpret: Run the kernel's operations one by one, on any device.

    Returns:
        The mixed values [B, T, N, H], in the type of `v_BTNH`.
    """
    columns_BTD = (x.reshape(*x.shape[:2], -1) for x in (q_BTNH, k_BTNH, v_BTNH))
    return _attend(q_BTNH.shape[3], interpret, *columns_BTD).reshape(q_BTNH.shape)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _attend(width: int, interpret: bool, *qkv_BTD: jax.Array) -> jax.Array:
    return _call(_mix, width, interpret, 1, *qkv_BTD)[0]


def _attend_forward(width: int, interpret: bool, *qkv_BTD: jax.Array) -> tuple[jax.Array, tuple]:
    return _attend(width, interpret, *qkv_BTD), qkv_BTD


def _attend_backward(width: int, interpret: bool, qkv_BTD: tuple, dmixed_BTD: jax.Array) -> tuple:
    return tuple(_call(_differentiate, width, interpret, 3, *qkv_BTD, dmixed_BTD))


_attend.defvjp(_attend_forward, _attend_backward)


def _call(kernel: Callable, width: int, interpret: bool, results: int, *arrays: jax.Array) -> Any:
    """Runs a kernel on blocks of all tokens and the columns of whole heads; its results are like the arrays."""

    def run(*arrays: jax.Array) -> Any:
        batch, length, columns = arrays[0].shape
        loaded = _block_columns(columns, width)
        block = pl.BlockSpec((1, length, loaded), lambda row, group: (row, 0, group))
        # Within a jax.shard_map, the results vary over the axes over which the arguments do.
        varying = jax.typeof(arrays[0]).manual_axis_type
        like = jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype, manual_axis_type=varying)
        return pl.pallas_call(
            partial(kernel, width),
            grid=(batch, columns // loaded),
            in_specs=[block] * len(arrays),
            out_specs=[block] * results,
            out_shape=[like] * results,
            interpret=interpret,
        )(*arrays)

    if not jax.sharding.get_abstract_mesh().empty:  # the rows are this device's; so must be the heads
        heads = PartitionSpec(None, None, TENSOR_AXIS)
        run = jax.shard_map(run, in_specs=heads, out_specs=heads, axis_names={TENSOR_AXIS})
    return run(*arrays)


def _mix(width: int, q_ref: Any, k_ref: Any, v_ref: Any, mixed_ref: Any) -> None:
    """The mixed values of a block's heads."""
    for head in _heads(q_ref, width):
        weights_TT = _weights(q_ref[head], k_ref[head]).astype(v_ref.dtype)
        mixed_ref[head] = _product(weights_TT, v_ref[head], (1, 0)).astype(mixed_ref.dtype)


def _differentiate(
    width: int, q_ref: Any, k_ref: Any, v_ref: Any, dmixed_ref: Any, dq_ref: Any, dk_ref: Any, dv_ref: Any
) -> None:
    """The gradients of a block's queries, keys and values."""
    for head in _heads(q_ref, width):
        weights_TT, dtype = _weights(q_ref[head], k_ref[head]), v_ref.dtype
        dv_ref[head] = _product(weights_TT.astype(dtype), dmixed_ref[head], (0, 0)).astype(dtype)
        dweights_TT = _product(dmixed_ref[head], v_ref[head], (1, 1))
        dscores_TT = weights_TT * (dweights_TT - jnp.sum(weights_TT * dweights_TT, axis=1, keepdims=True))
        dscores_TT = (dscores_TT * width**-0.5).astype(dtype)
        dq_ref[head] = _product(dscores_TT, k_ref[head], (1, 0)).astype(dtype)
        dk_ref[head] = _product(dscores_TT, q_ref[head], (0, 0)).astype(dtype)


def _heads(ref: Any, width: int) -> list[tuple]:
    """Where a block holds each of its heads."""
    return [(0, slice(None), pl.ds(start, width)) for start in range(0, ref.shape[2], width)]


def _weights(q_TH: jax.Array, k_TH: jax.Array) -> jax.Array:
    """The softmax of the scores over the keys [T, T], float32."""
    return jax.nn.softmax(_product(q_TH, k_TH, (1, 1)) * q_TH.shape[1] ** -0.5, axis=1)


def _product(x: jax.Array, y: jax.Array, axes: tuple[int, int]) -> jax.Array:
    """The product of two matrices, summed in float32 over an axis of each."""
    return jax.lax.dot_general(x, y, (((axes[0],), (axes[1],)), ((), ())), preferred_element_type=jnp.float32)


KERNELS: dict[str, Callable[[jax.Array, jax.Array, jax.Array], jax.Array]] = {
    "cudnn": cudnn_attention,
    "pallas": pallas_attention,
}
