"""Boxes in images: the part of an image that is cut out."""

from typing import NamedTuple

import numpy as np


class BoxLTRB(NamedTuple):
    """A box in pixels by its edges, as Pillow takes it; (0, 0) is the top left corner of the image."""

    left: float
    top: float
    right: float
    bottom: float


def random_box(
    width: int,
    height: int,
    min_area: float,
    draw_4: np.ndarray,
    aspect_ratios: tuple[float, float] = (3 / 4, 4 / 3),
) -> BoxLTRB:
    """Returns the box that torchvision's RandomResizedCrop((min_area, 1), aspect_ratios) cuts out of an image.

    The box's share of the image's area is uniform between `min_area` and 1; the logarithm of its width over its height
    is uniform between those of `aspect_ratios`. A side that does not fit is shortened (torchvision draws again).

    Args:
        width: of the image.
        height: of the image.
        min_area: smallest share of the image's area.
        draw_4: 4 draws from [0, 1): area, aspect ratio, horizontal and vertical position.
        aspect_ratios: smallest and largest width over height.
    """
    area = width * height * (min_area + (1 - min_area) * draw_4[0])
    log_middle = np.log(aspect_ratios[0] * aspect_ratios[1]) / 2
    log_half_range = np.log(aspect_ratios[1] / aspect_ratios[0]) / 2
    ratio = float(np.exp(log_middle + log_half_range * (2 * draw_4[1] - 1)))
    box_width, box_height = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
    left, top = draw_4[2] * (width - box_width), draw_4[3] * (height - box_height)
    return BoxLTRB(float(left), float(top), float(left + box_width), float(top + box_height))
