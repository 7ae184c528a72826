"""Frames to pixels: the reference's resampling against NumPy spelled out, and that of images."""

import numpy as np
import pytest
from PIL import Image

from negjax.errors import NegjaxError
from negjax.media.images import Preprocess, to_pixels
from negjax.media.video import VIDEO_PREPROCESS, to_clip_pixels


def rough(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(256, size=(height, width, 3), dtype=np.uint8))


def cubic_weights(old: int, new: int) -> np.ndarray:
    """Antialiased bicubic resampling (a = -0.5) of `old` values to `new`, as a matrix."""

    def cubic(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    stretch = max(1.0, old / new)
    rows = [[cubic((j + 0.5 - (i + 0.5) * old / new) / stretch) for j in range(old)] for i in range(new)]
    return np.array(rows) / np.sum(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("width", "height"), [(90, 50), (50, 90), (32, 32), (20, 11), (300, 7)])
def test_negbench_pixels_are_squashed_and_never_rounded(width, height):
    images = [rough(width, height), rough(width + 1, height)]
    pixels_FHWC = to_clip_pixels(images, Preprocess(size=32), "negbench")
    assert pixels_FHWC.shape == (2, 32, 32, 3)
    assert pixels_FHWC.dtype == np.float32
    for pixels_HWC, image in zip(pixels_FHWC, images):
        down, across = cubic_weights(image.height, 32), cubic_weights(image.width, 32)
        brute = np.einsum("Hh,Ww,hwc->HWc", down, across, np.asarray(image, np.float64))
        np.testing.assert_allclose(pixels_HWC, brute, atol=1e-3, rtol=0)


def test_negbench_pixels_overshoot():
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 31:] = 255
    pixels_FHWC = to_clip_pixels([Image.fromarray(edge)], Preprocess(size=24), "negbench")
    assert pixels_FHWC.min() < -2
    assert pixels_FHWC.max() > 257


@pytest.mark.parametrize("resize_mode", ["shortest", "squash", "longest"])
def test_clip_pixels_are_those_of_images(resize_mode):
    images = [rough(90, 50), rough(50, 90), rough(9, 9)]
    preprocess = Preprocess(size=32, resize_mode=resize_mode)
    pixels_FHWC = to_clip_pixels(images, preprocess, "clip")
    assert pixels_FHWC.dtype == np.uint8
    for pixels_HWC, image in zip(pixels_FHWC, images, strict=True):
        np.testing.assert_array_equal(pixels_HWC, to_pixels(image, preprocess))


def test_an_unknown_preprocessing():
    assert VIDEO_PREPROCESS == ("negbench", "clip")
    with pytest.raises(NegjaxError, match="unknown video preprocessing 'squash'; choose one of negbench, clip"):
        to_clip_pixels([rough(9, 9)], Preprocess(), "squash")
