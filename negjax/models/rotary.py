"""Rotary positions over two axes: pairs of a head's channels, rotated by the row or by the column of their patch.

The product of a query and a key then depends on where their patches lie relative to each other. Source: Su et al. 2021;
timm 1.0.31, RotaryEmbeddingCat. Shapes: B batch, T tokens, N heads, H channels of a head, G patches along a side.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from negjax.models.architecture import VisionConfig

_TEMPERATURE = 10000.0


def rotate(x_BTNH: jax.Array, vision: VisionConfig) -> jax.Array:
    """Rotates the queries or keys of all patches; a class token's stay as they are."""
    cosine_TH, sine_TH = _rotations(vision)
    even_H = np.arange(x_BTNH.shape[-1]) % 2 == 0
    partner_BTNH = jnp.where(even_H, -jnp.roll(x_BTNH, -1, axis=-1), jnp.roll(x_BTNH, 1, axis=-1))
    return (x_BTNH * cosine_TH[:, None] + partner_BTNH * sine_TH[:, None]).astype(x_BTNH.dtype)


@lru_cache(maxsize=64)
def _rotations(vision: VisionConfig) -> tuple[np.ndarray, np.ndarray]:
    """float32 cosines and sines [T, H] of the angles; both channels of a pair (2 i, 2 i + 1) have the same."""
    half = vision.width // vision.heads // 2
    frequencies = _TEMPERATURE ** -(np.arange(half // 2) / (half // 2))
    coordinate_G = (np.arange(vision.grid) + vision.rotary_start) * vision.rotary_grid / vision.grid
    row_GG, column_GG = np.meshgrid(coordinate_G, coordinate_G, indexing="ij")
    axes = (row_GG, column_GG) if vision.rotary == "rows_first" else (column_GG, row_GG)
    angles = np.concatenate([axis.reshape(-1, 1) * frequencies for axis in axes], axis=1)
    angle_TH = np.pad(np.repeat(angles, 2, axis=1), ((int(vision.class_token), 0), (0, 0)))
    return np.cos(angle_TH).astype(np.float32), np.sin(angle_TH).astype(np.float32)
