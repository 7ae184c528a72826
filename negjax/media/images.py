"""Images to pixels, as CLIP's own preprocessing makes them with Pillow, and pixels to the model's input.

Encoded bytes -> `decoding.decode` -> `to_pixels`, uint8 [S, S, 3] -> on the device `normalise`, float32 [B, S, S, 3].
"""

from dataclasses import dataclass
from typing import Literal

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
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocess:
    """How an image is turned into the model's input; stored with every checkpoint.

    Attributes:
        size: side of the square input in pixels.
        mean: of each channel, for pixels in [0, 1].
        std: of each channel, for pixels in [0, 1].
        interpolation: of resizing.
        resize_mode: "shortest" (short side to `size`, centre crop; CLIP's), "squash" (both sides to `size`; SigLIP's in
            open_clip) or "longest" (long side to `size`, centred on black).
        rgb_first: whether images become RGB before they are resized, on white where they are transparent, as in
            transformers; otherwise after, without transparency, as in OpenAI's code and open_clip.
    """

    size: int = 224
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest"] = "shortest"
    rgb_first: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in _RESAMPLING:
            raise NegjaxError(f"unknown interpolation {self.interpolation!r}; choose one of {', '.join(_RESAMPLING)}")
        if self.resize_mode not in RESIZE_MODES:
            raise NegjaxError(f"unknown resize_mode {self.resize_mode!r}; choose one of {', '.join(RESIZE_MODES)}")


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
    size, resample = preprocess.size, _RESAMPLING[preprocess.interpolation]
    if box is not None:
        return np.asarray(to_rgb(image.resize((size, size), resample, box)))
    if preprocess.resize_mode == "squash":
        return np.asarray(to_rgb(image.resize((size, size), resample)))
    if preprocess.resize_mode == "shortest":
        return _resize_shortest(image, size, resample)
    return _resize_longest(image, size, resample)


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


def crop_centre(pixels_HW3: np.ndarray, size: int) -> np.ndarray:
    """Returns the square of `size` in the centre, [size, size, 3], by torchvision's rule."""
    left, top = _centre_corner(pixels_HW3.shape[1], pixels_HW3.shape[0], size)
    return np.ascontiguousarray(pixels_HW3[top : top + size, left : left + size])


def _resize_shortest(image: Image.Image, size: int, resample: Image.Resampling) -> np.ndarray:
    """The short side to `size`, then the square in the centre."""
    width, height = image.size
    new_width, new_height = shortest_side_size(width, height, size)
    if (new_width, new_height) == image.size and image.mode == "RGB":
        return crop_centre(np.asarray(image), size)  # spares two copies of the image
    left, top = _centre_corner(new_width, new_height, size)
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
    scale = size / max(width, height)
    resized = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), resample)
    left, top = (size - resized.width) // 2, (size - resized.height) // 2
    right, bottom = size - resized.width - left, size - resized.height - top
    return np.asarray(to_rgb(ImageOps.expand(resized, (left, top, right, bottom))))


def _centre_corner(width: int, height: int, size: int) -> tuple[int, int]:
    """Left and top of the square in the centre, by torchvision's rule."""
    return round((width - size) / 2), round((height - size) / 2)
