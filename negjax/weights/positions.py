"""Position embeddings of an image tower, resized to another grid of patches."""

import math

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig


def resize_positions(position_TD: np.ndarray, config: CLIPConfig) -> np.ndarray:
    """Resizes image position embeddings to the grid of an architecture: bicubic, antialiased.

    Source: open_clip, resize_pos_embed.

    Args:
        position_TD: Position embeddings of a square grid, after that of the class token if there is one.
        config: The architecture.

    Returns:
        Position embeddings of the architecture's grid; that of the class token is unchanged.

    Raises:
        NegjaxError: If the grid of `position_TD` is not square.
    """
    extra, grid = int(config.vision.class_token), config.vision.grid
    old = math.isqrt(len(position_TD) - extra)
    if old * old != len(position_TD) - extra:
        raise NegjaxError(f"the {len(position_TD)} position embeddings of the image tower are not of a square grid")
    square = position_TD[extra:].reshape(old, old, -1)
    resized = jax.image.resize(square, (grid, grid, square.shape[-1]), "cubic", antialias=True)
    return np.concatenate([position_TD[:extra], np.asarray(resized).reshape(grid * grid, -1)])
