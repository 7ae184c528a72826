"""Images to pixels, as CLIP's own preprocessing makes them with Pillow, and pixels to the model's input.

Encoded bytes -> `decoding.decode` -> `to_pixels`, uint8 [S, S, 3] -> on the device `normalise`, float32 [B, S, S, 3].
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageOps

from negjax.errors import NegjaxError
from negjax.media.boxes import BoxLTRB
from negjax.media.decoding import MAX_PIXELS, to_rgb

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
RESIZE_MODES = ("shortest", "squash", "longest")
INTERPOLATIONS = ("bicubic", "bilinear", "nearest", "lanczos", "box", "hamming")
RESAMPLING = {name: Image.Resampling[name.upper()] for name in INTERPOLATIONS}
_CROP_ROUNDING: dict[str, Callable[[float], int]] = {"even": round, "down": math.floor}


@dataclass(frozen=True)
class Preprocess:
    """How an image is turned into the model's input; stored with every checkpoint.

    Attributes:
        size: side of the square input in pixels.
        mean: of each channel, for pixels in [0, 1].
        std: of each channel, for pixels in [0, 1].
        interpolation: of resizing, one of Pillow's filters.
        resize_mode: "shortest" (short side to `resize_size`, centre crop; CLIP's), "squash" (both sides to
            `resize_size`, centre crop; SigLIP's) or "longest" (long side to `size`, centred on black).
        rgb_first: whether images become RGB before they are resized, on white where they are transparent, as in
            transformers; otherwise after, without transparency, as in OpenAI's code and open_clip.
        resize_size: side in pixels to which images are resized before the crop, more than `size`; None for `size`.
        crop_rounding: which pixel a crop begins at where the margin is odd: "even" (half to even; OpenAI's and
            open_clip's, of torchvision) or "down" (transformers').
    """

    size: int = 224
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Literal["bicubic", "bilinear", "nearest", "lanczos", "box", "hamming"] = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest"] = "shortest"
    rgb_first: bool = False
    resize_size: int | None = None
    crop_rounding: Literal["even", "down"] = "even"

    def __post_init__(self) -> None:
        for field, choices in (
            ("interpolation", RESAMPLING),
            ("resize_mode", RESIZE_MODES),
            ("crop_rounding", _CROP_ROUNDING),
        ):
            if (value := getattr(self, field)) not in choices:
                raise NegjaxError(f"unknown {field} {value!r}; choose one of {', '.join(choices)}")
        if type(self.size) is not int or self.size < 1:
            raise NegjaxError(f"size is {self.size!r}: give a whole number of pixels")
        if self.resize_size is not None:
            if type(self.resize_size) is not int or self.resize_size <= self.size:
                raise NegjaxError(
                    f"resize_size is {self.resize_size!r}: give None, or more than the {self.size} pixels of size"
                )
            if self.resize_mode == "longest":
                raise NegjaxError('resize_mode "longest" crops nothing: resize_size must be None')
        check_channels("mean", self.mean)
        check_channels("std", self.std)
        if min(self.std) <= 0:
            raise NegjaxError(f"std is {self.std}: its values must be greater than 0")


def at_size(preprocess: Preprocess, size: int) -> Preprocess:
    """The same preprocessing for images of `size` pixels a side; the share that a crop keeps stays the same."""
    resize_size = preprocess.resize_size and round(preprocess.resize_size * size / preprocess.size)
    return replace(preprocess, size=size, resize_size=None if resize_size == size else resize_size)


def check_channels(name: str, value: Any) -> None:
    """Raises NegjaxError, which names the setting, unless a value is three finite numbers, one for each channel."""
    valid = isinstance(value, Sequence) and len(value) == 3
    if not valid or not all(type(x) in (int, float) and math.isfinite(x) for x in value):
        raise NegjaxError(f"{name} is {value!r}: give three finite numbers, one for each channel")


def to_pixels(image: Image.Image, preprocess: Preprocess, box: BoxLTRB | None = None) -> np.ndarray:
    """Resizes and crops an image exactly as torchvision does with Pillow, and converts it to RGB.

    Palettes and 1-bit images are resized without interpolation, transparent ones with colours weighted by their
    opacity: so does Pillow, unless `preprocess.rgb_first`.

    Args:
        image: of at most 8 bits a channel, as `decode` returns it.
        preprocess: of the model.
        box: this part of the image is resized to the square instead.

    Returns:
        uint8 [S, S, 3], S = preprocess.size.
    """
    if preprocess.rgb_first:
        image = to_rgb(image, on_white=True)
    size, resample = preprocess.size, RESAMPLING[preprocess.interpolation]
    if box is not None:
        return np.asarray(to_rgb(image.resize((size, size), resample, box)))
    if preprocess.resize_mode == "longest":
        return _resize_longest(image, size, resample)
    return _resize_and_crop(image, preprocess, resample)


def normalise(pixels_BHWC: jax.Array, preprocess: Preprocess) -> jax.Array:
    """Returns the model's input, float32: pixels in [0, 1], minus the mean, over the standard deviation.

    Args:
        pixels_BHWC: in the scale 0 to 255, of any type.
        preprocess: of the model.
    """
    mean, std = jnp.array(preprocess.mean), jnp.array(preprocess.std)
    return (pixels_BHWC.astype(jnp.float32) / 255 - mean) / std


def shortest_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Returns (width, height) of an image whose short side is resized to `short_side`, by torchvision's rule."""
    short = min(width, height)
    return int(short_side * width / short), int(short_side * height / short)


def crop_centre(pixels_HW3: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """Returns the square of the model's size in the centre, [S, S, 3], S = preprocess.size."""
    left, top = _centre_corner(pixels_HW3.shape[1], pixels_HW3.shape[0], preprocess)
    return np.ascontiguousarray(pixels_HW3[top : top + preprocess.size, left : left + preprocess.size])


def _resize_and_crop(image: Image.Image, preprocess: Preprocess, resample: Image.Resampling) -> np.ndarray:
    """The short side, or both sides, to `resize_size`, then the square in the centre."""
    width, height = image.size
    size, side = preprocess.size, preprocess.resize_size or preprocess.size
    squash = preprocess.resize_mode == "squash"
    new_width, new_height = (side, side) if squash else shortest_side_size(width, height, side)
    if (new_width, new_height) == image.size and image.mode == "RGB":
        return crop_centre(np.asarray(image), preprocess)  # spares two copies of the image
    left, top = _centre_corner(new_width, new_height, preprocess)
    if new_width * new_height <= MAX_PIXELS:
        resized = image.resize((new_width, new_height), resample)
        return np.asarray(to_rgb(resized.crop((left, top, left + size, top + size))))
    # The image is so elongated that only the part that is cropped fits in memory.
    scale_x, scale_y = width / new_width, height / new_height
    box = BoxLTRB(left * scale_x, top * scale_y, (left + size) * scale_x, (top + size) * scale_y)
    return np.asarray(to_rgb(image.resize((size, size), resample, box)))


def _resize_longest(image: Image.Image, size: int, resample: Image.Resampling) -> np.ndarray:
    """The long side to `size`, centred on zeros: on black, but on white in CMYK, and on a palette's first colour."""
    width, height = image.size
    ratio = max(width / size, height / size)  # divided by as open_clip does, for the same rounding
    resized = image.resize((max(1, round(width / ratio)), max(1, round(height / ratio))), resample)
    left, top = (size - resized.width) // 2, (size - resized.height) // 2
    right, bottom = size - resized.width - left, size - resized.height - top
    return np.asarray(to_rgb(ImageOps.expand(resized, (left, top, right, bottom))))


def _centre_corner(width: int, height: int, preprocess: Preprocess) -> tuple[int, int]:
    """Left and top of the square in the centre."""
    whole = _CROP_ROUNDING[preprocess.crop_rounding]
    return whole((width - preprocess.size) / 2), whole((height - preprocess.size) / 2)
