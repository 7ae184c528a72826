"""Boxes: a benchmark may ask about a part of an image, which is then cut out and stored as an image of its own."""

import io
from typing import NamedTuple

from PIL import Image

from negjax.media.boxes import BoxLTRB

LARGEST_COORDINATE = 1e9  # beyond any image


class BoxXYWH(NamedTuple):
    """A part of an image in pixels: its upper left corner, counted from that of the image, and its size."""

    x: float
    y: float
    width: float
    height: float


def check_box(box: BoxXYWH) -> BoxXYWH:
    """Returns the box; raises ValueError if it has no area or is not finite."""
    if not (box.width > 0 and box.height > 0 and all(abs(side) < LARGEST_COORDINATE for side in box)):
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area")
    return box


def corners(box: BoxXYWH, width: int, height: int) -> BoxLTRB:
    """The part of a box that lies inside an image.

    Args:
        box: The box.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        Its edges in whole pixels, rounded as Pillow's `crop` rounds.

    Raises:
        ValueError: The box has no area, or lies outside the image.
    """
    check_box(box)
    left, top = max(round(box.x), 0), max(round(box.y), 0)
    right, bottom = min(round(box.x + box.width), width), min(round(box.y + box.height), height)
    if left >= right or top >= bottom:
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area in an image of {width} x {height}")
    return BoxLTRB(left, top, right, bottom)


def cut(image: Image.Image, box: BoxXYWH) -> bytes:
    """Cuts the part of an image inside a box out of it, as a PNG file; raises ValueError if there is none."""
    buffer = io.BytesIO()
    image.crop(corners(box, *image.size)).save(buffer, "PNG", compress_level=1)  # a photograph hardly compresses
    return buffer.getvalue()
