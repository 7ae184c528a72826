"""Boxes in the form of the benchmarks: the part of an image that a row refers to."""

from typing import NamedTuple

LARGEST_COORDINATE = 1e9  # beyond any image


class BoxXYWH(NamedTuple):
    """A part of an image in pixels: its upper left corner, from the upper left corner of the image, and its size."""

    x: float
    y: float
    width: float
    height: float


def check_box(box: BoxXYWH) -> BoxXYWH:
    """Returns the box; raises ValueError if it has no area or is not finite."""
    if not (box.width > 0 and box.height > 0 and all(abs(side) < LARGEST_COORDINATE for side in box)):
        raise ValueError(f"the box {list(box)} (x, y, width, height) has no area")
    return box
