"""Images to pixels, as CLIP's own preprocessing makes them with Pillow, and pixels to the model's input."""

import io
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from negjax.errors import NegjaxError

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
MOST_PIXELS = 89_478_485  # Pillow's own bound on what may be a decompression bomb: a quarter of a gigabyte as RGB
SHRUNK_QUALITY = 95
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocess:
    """What is done to an image before the model sees it; stored with every checkpoint.

    size: side of the square in pixels. mean, std: of each channel, for pixels in [0, 1]. resize_mode: "shortest"
    (short side to `size`, centre crop; CLIP's), "squash" (both sides to `size`; SigLIP's in open_clip) or "longest"
    (long side to `size`, centred on black).
    """

    size: int = 224
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "squash", "longest"] = "shortest"

    def __post_init__(self) -> None:
        if self.interpolation not in _FILTERS:
            raise NegjaxError(f"interpolation is {self.interpolation!r}: it must be bicubic or bilinear")
        if self.resize_mode not in ("shortest", "squash", "longest"):
            raise NegjaxError(f"resize_mode is {self.resize_mode!r}: it must be shortest, squash or longest")


def decode(data: bytes, where: str) -> Image.Image:
    """The image as RGB. `where` names it in errors.

    As CLIP does: the first frame of an animation, transparency dropped, EXIF rotation not applied. 16-bit grey is
    scaled to 8 bits. Raises NegjaxError for what cannot be decoded whole, and for pictures over MOST_PIXELS.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels, more than {MOST_PIXELS:,}")
        image.load()
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return image if image.mode == "RGB" else image.convert("RGB")
    except UnidentifiedImageError as error:  # its own message names an object in memory
        raise NegjaxError(f"{where}: the image cannot be decoded (no known image format)") from error
    except Exception as error:  # Pillow's decoders raise whatever they trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NegjaxError(f"{where}: the image cannot be decoded ({reason})") from error


Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def random_box(
    width: int, height: int, least: float, draw_4: np.ndarray, ratios: tuple[float, float] = (3 / 4, 4 / 3)
) -> Box:
    """The part of an image that torchvision's RandomResizedCrop((least, 1), ratios) would keep, of 4 draws from [0, 1).

    Its area is a share of the image's, uniform between `least` and 1; the logarithm of its width over its height is
    uniform between those of `ratios`. Where a side does not fit it is cut to fit (torchvision draws again).
    """
    area = width * height * (least + (1 - least) * draw_4[0])
    middle, half = np.log(ratios[0] * ratios[1]) / 2, np.log(ratios[1] / ratios[0]) / 2
    ratio = float(np.exp(middle + half * (2 * draw_4[1] - 1)))
    wide, high = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
    left, top = draw_4[2] * (width - wide), draw_4[3] * (height - high)
    return float(left), float(top), float(left + wide), float(top + high)


def to_pixels(image: Image.Image, preprocess: Preprocess, box: Box | None = None) -> np.ndarray:
    """uint8 [S, S, 3], S = preprocess.size, resized and cropped exactly as torchvision does with Pillow.

    box: take this part of the image instead, resized to the whole square.
    """
    size, resample = preprocess.size, _FILTERS[preprocess.interpolation]
    width, height = image.size
    if box is not None:
        image = image.resize((size, size), resample, box)
    elif preprocess.resize_mode == "squash":
        image = image.resize((size, size), resample)
    elif preprocess.resize_mode == "shortest":
        wide, high = _with_short_side(width, height, size)
        if (wide, high) == image.size:  # nothing to resize: cut the array, which spares two copies of the image
            return _centre(np.asarray(image), size)
        left, top = _corner(wide, high, size)
        if wide * high <= MOST_PIXELS:
            image = image.resize((wide, high), resample).crop((left, top, left + size, top + size))
        else:  # so elongated that only the crop's part of it fits in memory
            across, down = width / wide, height / high
            box = (left * across, top * down, (left + size) * across, (top + size) * down)
            image = image.resize((size, size), resample, box)
    else:
        ratio = size / max(width, height)
        small = image.resize((max(1, round(width * ratio)), max(1, round(height * ratio))), resample)
        image = Image.new("RGB", (size, size))
        image.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return np.asarray(image)


def ready_pixels(data: bytes, preprocess: Preprocess) -> np.ndarray | None:
    """What `to_pixels` of `decode` gives for a JPEG that needs no resizing, faster; None for everything else.

    The decoder is the same, libjpeg-turbo, without Pillow between: on two threads that share Python's lock a third to
    two thirds more images a second. Data with anything odd about them are left to Pillow.
    """
    if preprocess.resize_mode != "shortest" or data[:2] != b"\xff\xd8":
        return None
    size = preprocess.size
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours != "YCbCr" or min(width, height) != size:
            return None
        pixels = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    return _centre(pixels, size)


def shrunk(image: Image.Image, encoded: bytes, short_side: int) -> bytes:
    """The image encoded anew as JPEG of SHRUNK_QUALITY, its short side `short_side` as `to_pixels` resizes it; or
    `encoded`, as it is, where its short side is not longer."""
    if min(image.size) <= short_side:
        return encoded
    out, size = io.BytesIO(), _with_short_side(*image.size, short_side)
    image.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=SHRUNK_QUALITY)
    return out.getvalue()


def _with_short_side(width: int, height: int, short_side: int) -> tuple[int, int]:
    """The size of an image once it is resized, by torchvision's rule."""
    short = min(width, height)
    return int(short_side * width / short), int(short_side * height / short)


def _corner(width: int, height: int, size: int) -> tuple[int, int]:
    """Left and top of the square in the middle, by torchvision's rule."""
    return round((width - size) / 2), round((height - size) / 2)


def _centre(pixels_HW3: np.ndarray, size: int) -> np.ndarray:
    left, top = _corner(pixels_HW3.shape[1], pixels_HW3.shape[0], size)
    return np.ascontiguousarray(pixels_HW3[top : top + size, left : left + size])


def normalise(pixels_BHWC: jax.Array, preprocess: Preprocess) -> jax.Array:
    """Pixels of 0 to 255, uint8 or not rounded, to the model's input, float32: in [0, 1], less mean, over deviation."""
    mean, std = jnp.array(preprocess.mean), jnp.array(preprocess.std)
    return (pixels_BHWC.astype(jnp.float32) / 255 - mean) / std
