"""Crops the boxes that a benchmark refers to, to be stored as separate images."""

import io

from PIL import Image

from negjax.datasets.sources.boxes import BoxXYWH, check_box
from negjax.media.boxes import BoxLTRB
from negjax.media.decoding import to_rgb

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def corners(box: BoxXYWH, width: int, height: int) -> BoxLTRB:
    """The part of a box that is inside an image.

    Args:
        box: The box.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        Its edges in whole pixels, rounded as Pillow's `crop` rounds.

    Raises:
        ValueError: The box has no area, or is outside the image.
    """
    check_box(box)
    left, top = max(round(box.x), 0), max(round(box.y), 0)
    right, bottom = min(round(box.x + box.width), width), min(round(box.y + box.height), height)
    if left >= right or top >= bottom:
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area in an image of {width} x {height}")
    return BoxLTRB(left, top, right, bottom)


def cut(image: Image.Image, box: BoxXYWH) -> bytes:
    """Crops an image to a box, as a PNG file, in its mode if PNG has it; raises ValueError if the box is outside."""
    if image.mode not in PNG_MODES:
        image = to_rgb(image)
    buffer = io.BytesIO()
    image.crop(corners(box, *image.size)).save(buffer, "PNG", compress_level=1)  # photographs hardly compress
    return buffer.getvalue()
