"""How one parameter of ours lies in PyTorch's tensors, and back: exact both ways, for any element type.

Shapes: D width in, F width out, H W patch, I channels; PyTorch keeps linear weights as [F, D].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """read: PyTorch's tensors of one parameter -> the parameter; write: the inverse."""

    read: Callable[[Sequence[np.ndarray]], np.ndarray]
    write: Callable[[np.ndarray], list[np.ndarray]]


def _one(read: Callable[[np.ndarray], np.ndarray], write: Callable[[np.ndarray], np.ndarray]) -> Layout:
    return Layout(lambda tensors: read(tensors[0]), lambda ours: [write(ours)])


SAME = _one(lambda x: x, lambda x: x)
LINEAR = _one(np.transpose, np.transpose)  # [F, D] <-> [D, F]
CONV = _one(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))  # [F, I, H, W] <-> [H, W, I, F]
SCALAR = _one(lambda x: x.reshape(()), lambda x: x)  # [] or [1] -> []; which it was is noted beside the table
ONE = _one(lambda x: x.reshape(()), lambda x: x.reshape(1))  # [1] <-> []
BATCHED = _one(lambda x: x[0], lambda x: x[None])  # [1, T, D] <-> [T, D]
QUERY = _one(lambda x: x[0, 0], lambda x: x[None, None])  # [1, 1, D] <-> [D]


def fused(count: int) -> Layout:
    """One tensor for `count` projections of equal width, one after another: [count * F, D] <-> [D, count, F].

    Biases: [count * F] <-> [count, F].
    """

    def read(x: np.ndarray) -> np.ndarray:
        parts = x.reshape(count, -1, *x.shape[1:])
        return parts.transpose(2, 0, 1) if x.ndim == 2 else parts

    def write(x: np.ndarray) -> np.ndarray:
        parts = x.transpose(1, 2, 0) if x.ndim == 3 else x
        return parts.reshape(-1, *parts.shape[2:])

    return _one(read, write)


def separate(count: int) -> Layout:
    """A tensor for each of `count` projections: [F, D] each <-> [D, count, F], and [F] each <-> [count, F]."""

    def read(tensors: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([x.T for x in tensors], axis=-2)

    def write(x: np.ndarray) -> list[np.ndarray]:
        return [x[..., i, :].T for i in range(count)]

    return Layout(read, write)


def _join_q_kv() -> Layout:
    """timm's pooling: one tensor for q, one for k and v: [F, D], [2 F, D] <-> [D, 3, F], and so for the biases."""
    both = fused(3)

    def read(tensors: Sequence[np.ndarray]) -> np.ndarray:
        return both.read([np.concatenate(tensors)])

    def write(x: np.ndarray) -> list[np.ndarray]:
        (joined,) = both.write(x)
        return np.split(joined, [len(joined) // 3])

    return Layout(read, write)


QKV, QKV_APART, Q_KV = fused(3), separate(3), _join_q_kv()
