"""How PyTorch's tensors become one parameter of ours, and back: exact in both directions, for any element type.

Shapes: D width in, F width out, H W patch, I channels; PyTorch keeps linear weights as [F, D].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TensorLayout:
    """How tensors hold one parameter.

    Attributes:
        read: PyTorch's tensors -> the parameter.
        write: The inverse.
    """

    read: Callable[[Sequence[np.ndarray]], np.ndarray]
    write: Callable[[np.ndarray], list[np.ndarray]]


def _single(read: Callable[[np.ndarray], np.ndarray], write: Callable[[np.ndarray], np.ndarray]) -> TensorLayout:
    return TensorLayout(lambda tensors: read(tensors[0]), lambda parameter: [write(parameter)])


SAME = _single(lambda x: x, lambda x: x)
LINEAR = _single(np.transpose, np.transpose)  # [F, D] <-> [D, F]
CONV = _single(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))  # [F, I, H, W] <-> [H, W, I, F]
POINTWISE = _single(lambda x: x[:, :, 0, 0].T, lambda x: x.T[:, :, None, None])  # [F, I, 1, 1] <-> [I, F]
SCALAR = _single(lambda x: x.reshape(()), lambda x: x)  # [] or [1] -> []; the writer restores which it was
ONE = _single(lambda x: x.reshape(()), lambda x: x.reshape(1))  # [1] <-> []
BATCHED = _single(lambda x: x[0], lambda x: x[None])  # [1, T, D] <-> [T, D]
FIRST = _single(lambda x: x[0], lambda x: x[None])  # [N, D] -> [D], of learned queries that count alone; [1, D] back
QUERY = _single(lambda x: x[0, 0], lambda x: x[None, None])  # [1, 1, D] <-> [D]


def fused(count: int) -> TensorLayout:
    """One tensor for `count` projections of equal width, one after another: [count * F, D] <-> [D, count, F].

    For biases: [count * F] <-> [count, F].
    """

    def read(x: np.ndarray) -> np.ndarray:
        parts = x.reshape(count, -1, *x.shape[1:])
        return parts.transpose(2, 0, 1) if x.ndim == 2 else parts

    def write(x: np.ndarray) -> np.ndarray:
        parts = x.transpose(1, 2, 0) if x.ndim == 3 else x
        return parts.reshape(-1, *parts.shape[2:])

    return _single(read, write)


def separate(count: int) -> TensorLayout:
    """A tensor for each of `count` projections: [F, D] each <-> [D, count, F], and [F] each <-> [count, F]."""

    def read(tensors: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([x.T for x in tensors], axis=-2)

    def write(x: np.ndarray) -> list[np.ndarray]:
        return [x[..., i, :].T for i in range(count)]

    return TensorLayout(read, write)


def _fused_q_kv() -> TensorLayout:
    """timm's pooling: one tensor for q, one for k and v: [F, D], [2 F, D] <-> [D, 3, F], and likewise for biases."""
    qkv = fused(3)

    def read(tensors: Sequence[np.ndarray]) -> np.ndarray:
        return qkv.read([np.concatenate(tensors)])

    def write(x: np.ndarray) -> list[np.ndarray]:
        (tensor,) = qkv.write(x)
        return np.split(tensor, [len(tensor) // 3])

    return TensorLayout(read, write)


QKV, QKV_APART, KV_APART, Q_KV = fused(3), separate(3), separate(2), _fused_q_kv()
