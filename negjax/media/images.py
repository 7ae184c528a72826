"""Images to pixels, as CLIP's own preprocessing makes them with Pillow, and pixels to the model's input.

Encoded bytes -> `decode` -> `to_pixels`, uint8 [S, S, 3] -> on the device `normalise`, float32 [B, S, S, 3].
"""

import io
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, UnidentifiedImageError

from negjax.errors import NegjaxError
from negjax.media.boxes import BoxLTRB

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
MAX_PIXELS = 89_478_485  # Pillow's own bound against decompression bombs: a quarter of a gigabyte as RGB
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
    """

    size: int = 224
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest"] = "shortest"

    def __post_init__(self) -> None:
        if self.interpolation not in _RESAMPLING:
            raise NegjaxError(f"unknown interpolation {self.interpolation!r}; choose one of {', '.join(_RESAMPLING)}")
        if self.resize_mode not in RESIZE_MODES:
            raise NegjaxError(f"unknown resize_mode {self.resize_mode!r}; choose one of {', '.join(RESIZE_MODES)}")


def decode(data: bytes, name: str) -> Image.Image:
    """Decodes an image to RGB, as CLIP's preprocessing does.

    Of an animation the first frame is taken; transparency is dropped, and EXIF rotation is not applied. 16-bit grey is
    scaled to 8 bits.

    Args:
        data: the encoded image.
        name: of the image, for errors.

    Raises:
        NegjaxError: the image cannot be decoded completely, or has more than MAX_PIXELS.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
        image.load()
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return image if image.mode == "RGB" else image.convert("RGB")
    except UnidentifiedImageError as error:  # its own message names an object in memory
        raise NegjaxError(f"{name}: the image cannot be decoded (unknown image format)") from error
    except Exception as error:  # Pillow's decoders raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NegjaxError(f"{name}: the image cannot be decoded ({reason})") from error


def to_pixels(image: Image.Image, preprocess: Preprocess, box: BoxLTRB | None = None) -> np.ndarray:
    """Resizes and crops an image exactly as torchvision does with Pillow.

    Args:
        image: RGB.
        preprocess: of the model.
        box: this part of the image is resized to the square instead.

    Returns:
        uint8 [S, S, 3], S = preprocess.size.
    """
    size, resample = preprocess.size, _RESAMPLING[preprocess.interpolation]
    if box is not None:
        return np.asarray(image.resize((size, size), resample, box))
    if preprocess.resize_mode == "squash":
        return np.asarray(image.resize((size, size), resample))
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
    if (new_width, new_height) == image.size:  # cropping the array spares two copies of the image
        return crop_centre(np.asarray(image), size)
    left, top = _centre_corner(new_width, new_height, size)
    if new_width * new_height <= MAX_PIXELS:
        resized = image.resize((new_width, new_height), resample)
        return np.asarray(resized.crop((left, top, left + size, top + size)))
    # The image is so elongated that only the part that is cropped fits in memory.
    scale_x, scale_y = width / new_width, height / new_height
    box = BoxLTRB(left * scale_x, top * scale_y, (left + size) * scale_x, (top + size) * scale_y)
    return np.asarray(image.resize((size, size), resample, box))


def _resize_longest(image: Image.Image, size: int, resample: Image.Resampling) -> np.ndarray:
    """The long side to `size`, centred on black."""
    width, height = image.size
    scale = size / max(width, height)
    resized = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), resample)
    square = Image.new("RGB", (size, size))
    square.paste(resized, ((size - resized.width) // 2, (size - resized.height) // 2))
    return np.asarray(square)


def _centre_corner(width: int, height: int, size: int) -> tuple[int, int]:
    """Left and top of the square in the centre, by torchvision's rule."""
    return round((width - size) / 2), round((height - size) / 2)
