"""What users pass as an image: a path, encoded bytes, an open file, a PIL image, or an array or tensor of pixels."""

import os
from typing import IO, Any

import numpy as np
from PIL import Image

from negjax.errors import NegjaxError
from negjax.media.decoding import decode, to_8_bits
from negjax.runtime.regular import read_regular

ImageArgument = Image.Image | str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray
ACCEPTED = "a path, bytes, an open binary file, a PIL image, or an array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]"
CHANNELS = (1, 3, 4)


def is_batch(argument: Any) -> bool:
    """Whether an argument holds several images: a list, a tuple, or an array or tensor [N, H, W, C]."""
    return isinstance(argument, list | tuple) or getattr(argument, "ndim", 0) == 4


def open_image(argument: Any) -> Image.Image:
    """The image that a user's argument means, for `images.to_pixels`.

    Arrays, and tensors of PyTorch or JAX, hold pixels as Pillow's do: uint8 from 0 to 255, channels last, grey, RGB or
    RGBA; a bool array is a 1-bit image, a uint16 array [H, W] 16-bit grey.

    Args:
        argument: an `ImageArgument`.

    Raises:
        NegjaxError: the image cannot be read or decoded.
        TypeError: it is something else, or an array of another shape or type.
    """
    if isinstance(argument, str | os.PathLike):
        return decode(read_regular(argument), str(argument))
    if isinstance(argument, bytes | bytearray | memoryview):
        return decode(bytes(argument), "the image")
    if hasattr(argument, "read") and not isinstance(argument, Image.Image):
        data = argument.read()
        if not isinstance(data, bytes):
            raise TypeError(f"the image is a file opened as text ({type(argument).__name__}): open it as binary")
        return decode(data, "the image")
    image = argument if isinstance(argument, Image.Image) else _from_array(argument)
    try:
        image.load()
        return to_8_bits(image)
    except (ValueError, OSError, SyntaxError) as error:
        raise NegjaxError(f"the image cannot be used ({error})") from error


def _from_array(argument: Any) -> Image.Image:
    if not hasattr(argument, "__array__"):
        raise TypeError(f"an image is {ACCEPTED}, not {type(argument).__name__}")
    array = np.asarray(argument)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)) or 0 in array.shape:
        raise TypeError(f"an image is {ACCEPTED}: this array is {list(array.shape)}")
    deep = array.ndim == 2 and array.dtype in (np.uint16, np.bool_)
    if array.dtype != np.uint8 and not deep:
        raise TypeError(f"the pixels are {array.dtype}: give uint8 from 0 to 255 (255 * x for floats in [0, 1])")
    return Image.fromarray(np.ascontiguousarray(array))
