"""Images as OWLv2 sees them: padded to a square with black at the right and the bottom, then resized smoothly.

Resizing blurs with a Gaussian, where the image shrinks, and then interpolates linearly, as transformers'
Owlv2ImageProcessor does by default. (Where torchvision is missing, its Pillow backend makes other pixels at the edges
of the square. Before version 5 it padded with grey, which cost accuracy: its pull request 41938.)

Shapes: S side of the result, L longer side of the image, H height, W width, T samples that one of the result is a sum
of.
"""

import math
from functools import lru_cache

import numpy as np
from PIL import Image

from negjax.media.decoding import to_rgb

_REACH = 3  # of the Gaussian, in standard deviations


def pad_and_resize(image: Image.Image, size: int) -> np.ndarray:
    """Pads an image to a square and resizes it.

    Args:
        image: of at most 8 bits a channel, as `decode` returns it; what is transparent becomes white.
        size: side of the result, in pixels.

    Returns:
        float32 [S, S, 3], from 0 to 255.
    """
    pixels_HWC = np.asarray(to_rgb(image, on_white=True), np.float32)
    longer = max(pixels_HWC.shape[:2])
    rows_WSC = _resize_rows(pixels_HWC, longer, size).swapaxes(0, 1)
    return np.ascontiguousarray(_resize_rows(rows_WSC, longer, size).swapaxes(0, 1))


def _resize_rows(pixels_HWC: np.ndarray, length: int, size: int) -> np.ndarray:
    """Resizes along the first axis, which is followed by black up to `length`: [S, W, 3]."""
    index_ST, weight_ST = _samples(length, size)
    height = len(pixels_HWC)
    resized_SWC = np.zeros((size, *pixels_HWC.shape[1:]), np.float32)
    for index_S, weight_S in zip(index_ST.T, weight_ST.T):
        inside_S = index_S < height
        resized_SWC[inside_S] += weight_S[inside_S, None, None] * pixels_HWC[index_S[inside_S]]
    return resized_SWC


@lru_cache(maxsize=256)
def _samples(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Index and weight, float32, of the samples of a side that each of the result is a sum of: [S, T] both."""
    factor = length / size
    sigma = max(0.0, (factor - 1) / 2)
    radius = math.ceil(_REACH * sigma)
    offset_K = np.arange(-radius, radius + 1)
    blur_K = np.exp(-0.5 * (offset_K / max(sigma, 1e-9)) ** 2)
    blur_K /= blur_K.sum()
    # Beyond an end, interpolation repeats the last of the blurred samples, and the blur mirrors samples about the last.
    position_S = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(factor) - np.float32(0.5)
    position_S = np.clip(position_S, 0, length - 1)  # in float32, as PyTorch's
    below_S = np.floor(position_S).astype(int)
    share_S1 = (position_S - below_S)[:, None]
    period = max(1, 2 * (length - 1))
    blurred_S2 = np.stack([below_S, np.minimum(below_S + 1, length - 1)], axis=1)
    index_ST = np.abs(blurred_S2[:, :, None] + offset_K).reshape(size, -1) % period
    weight_ST = np.concatenate([(1 - share_S1) * blur_K, share_S1 * blur_K], axis=1)
    return np.minimum(index_ST, period - index_ST), weight_ST.astype(np.float32)
