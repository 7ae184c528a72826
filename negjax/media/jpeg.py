"""JPEG: images shrunk for storage, and a faster way to decode those that need no resizing."""

import io

import numpy as np
import simplejpeg
from PIL import Image

from negjax.media.decoding import to_rgb
from negjax.media.images import Preprocess, crop_centre, shortest_side_size

JPEG_QUALITY = 95  # of shrunk images
JPEG_MAGIC = b"\xff\xd8"


def decode_unresized(data: bytes, preprocess: Preprocess) -> np.ndarray | None:
    """Decodes a JPEG that needs no resizing to the pixels that `to_pixels(decode(data))` gives, faster.

    Pillow uses the same decoder, libjpeg-turbo. Without Pillow two threads that share Python's lock decode a third to
    two thirds more images a second.

    Args:
        data: an encoded image.
        preprocess: of the model.

    Returns:
        uint8 [S, S, 3], S = preprocess.size; None for any other image, and for JPEGs that are unusual or damaged.
    """
    if preprocess.resize_mode != "shortest" or preprocess.resize_size or data[:2] != JPEG_MAGIC:
        return None
    try:
        height, width, color_space, _ = simplejpeg.decode_jpeg_header(data)
        if color_space != "YCbCr" or min(width, height) != preprocess.size:
            return None
        pixels_HW3 = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    return crop_centre(pixels_HW3, preprocess)


def shrink_to_jpeg(image: Image.Image, encoded: bytes, short_side: int) -> bytes:
    """Returns an image as a JPEG with a given short side, resized as `to_pixels` resizes it: RGB comes after.

    Args:
        image: the decoded image.
        encoded: the same image as it was encoded, which is returned if its short side is not longer.
        short_side: in pixels.
    """
    if min(image.size) <= short_side:
        return encoded
    size, out = shortest_side_size(*image.size, short_side), io.BytesIO()
    to_rgb(image.resize(size, Image.Resampling.BICUBIC)).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
