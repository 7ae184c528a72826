"""Small pictures, re-encoded without the metadata of the file."""

import io

from PIL import Image, ImageOps

from negjax.media.decoding import decode, to_rgb
from negjax.media.video import read_frames

WEBP_QUALITY = 80  # 2 to 3 kB a photograph of 112 pixels


def to_webp(image: Image.Image, side: int) -> bytes:
    """An RGB image as WebP, shrunk to at most `side` pixels on its longer side."""
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=WEBP_QUALITY, method=4)
    return content.getvalue()


def picture_of(media: bytes, name: str, *, is_clip: bool, upright: bool = False) -> Image.Image:
    """What people are shown of an encoded image, or of a clip (its middle frame).

    Args:
        media: the encoded image or clip.
        name: its name, for errors.
        is_clip: whether it is a clip.
        upright: turn an image as its EXIF data say, as viewers do.

    Returns:
        An RGB image.

    Raises:
        NegjaxError: it cannot be decoded.
    """
    if is_clip:
        return read_frames(media, 1, name)[0]
    image = decode(media, name)
    return to_rgb(ImageOps.exif_transpose(image) if upright else image)
