"""Position embeddings of an image tower, resized to another grid of patches."""

import math

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.models.convnets import ConvNeXtConfig


def resize_positions(position_TD: np.ndarray, config: CLIPConfig) -> np.ndarray:
    """Resizes image position embeddings to the grid of an architecture: bicubic, antialiased, as open_clip does.

    CONCH's code resizes them bilinearly. Source: resize_pos_embed of open_clip and of mahmoodlab/CONCH.

    Args:
        position_TD: Position embeddings of a square grid, after that of the class token (a ResNet's mean) if there is
            one.
        config: The architecture.

    Returns:
        Position embeddings of the architecture's grid; that of the class token is unchanged.

    Raises:
        NegjaxError: If the grid of `position_TD` is not square.
    """
    assert not isinstance(config.vision, ConvNeXtConfig)
    grid = config.vision.grid
    extra = config.vision.positions - grid**2
    old = math.isqrt(len(position_TD) - extra)
    if old * old != len(position_TD) - extra:
        raise NegjaxError(f"the {len(position_TD)} position embeddings of the image tower are not of a square grid")
    square = position_TD[extra:].reshape(old, old, -1)
    bilinear = config.family == "conch"
    method, antialias = ("linear", False) if bilinear else ("cubic", True)
    resized = jax.image.resize(square, (grid, grid, square.shape[-1]), method, antialias=antialias)
    return np.concatenate([position_TD[:extra], np.asarray(resized).reshape(grid * grid, -1)])
