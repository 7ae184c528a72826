"""Parts of images, where a benchmark asks about a box."""

import io

from PIL import Image

Box = tuple[float, float, float, float]  # x, y, width, height in pixels, from the left upper corner
FAR = 1e9  # further out than any image goes


def check_box(box: Box) -> Box:
    """The box. Raises ValueError when it has no area or isn't finite."""
    if not (box[2] > 0 and box[3] > 0 and all(abs(side) < FAR for side in box)):
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area")
    return box


def corners(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of an image of this size that lies in the box.

    Edges are rounded to whole pixels as Pillow's crop does. Raises ValueError when nothing is left.
    """
    x, y, wide, high = check_box(box)
    left, top, right, bottom = round(x), round(y), round(x + wide), round(y + high)
    inside = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area in an image of {width} x {height}")
    return inside


def cut(image: Image.Image, box: Box) -> bytes:
    """The part of an image that lies in the box, as PNG. Raises ValueError when there is none."""
    buffer = io.BytesIO()
    image.crop(corners(box, *image.size)).save(buffer, "PNG", compress_level=1)  # a photograph hardly compresses
    return buffer.getvalue()
