"""Boxes of images, compared with Pillow's own crop."""

import io

import numpy as np
import pytest
from PIL import Image

from negjax.datasets.sources.boxes import BoxXYWH, check_box
from negjax.datasets.sources.crops import corners, cut


def test_a_box_inside_is_cut_as_pillow_does():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8))
    for _ in range(100):
        x, y = rng.uniform(0, 60), rng.uniform(0, 40)
        width, height = rng.uniform(1, 70 - x), rng.uniform(1, 50 - y)
        expected = np.asarray(image.crop((x, y, x + width, y + height)))
        found = np.asarray(Image.open(io.BytesIO(cut(image, BoxXYWH(x, y, width, height)))))
        np.testing.assert_array_equal(found, expected)


def test_what_reaches_out_is_left_away():
    assert corners(BoxXYWH(-5, -5, 20, 20), 10, 12) == (0, 0, 10, 12)
    assert corners(BoxXYWH(8.5, 0.5, 30, 1), 10, 12) == (8, 0, 10, 2)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (float("nan"), 0, 5, 5), (0, 0, float("inf"), 5)])
def test_boxes_without_an_area(box):
    with pytest.raises(ValueError, match="has no area"):
        check_box(BoxXYWH(*box))
    with pytest.raises(ValueError, match="has no area"):
        corners(BoxXYWH(*box), 10, 10)
