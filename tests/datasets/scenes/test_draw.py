"""Drawn scenes: the same bytes for the same seed, and objects that differ at 32 pixels."""

import hashlib
import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from test_layout import random_names

from negjax.datasets.scenes.draw import draw_scene, encode_png, paint_layout
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.scenes.placement import PlacedObject


@pytest.mark.parametrize("count", [0, 5])
def test_wrong_number_of_objects(count):
    with pytest.raises(ValueError, match=f"not {count}"):
        draw_scene(OBJECT_NAMES[:count], np.random.default_rng(0))


def test_same_seed_same_bytes():
    def digest(seed: int) -> str:
        rng = np.random.default_rng(seed)
        pngs = [encode_png(draw_scene(random_names(rng, 1 + i % 4), rng, 64)) for i in range(20)]
        return hashlib.sha256(b"".join(pngs)).hexdigest()

    assert digest(1) == digest(1) != digest(2)


def test_png_holds_the_drawn_pixels():
    image = draw_scene(["fish", "kite"], np.random.default_rng(4), 96)
    assert image.mode == "RGB"
    assert image.size == (96, 96)
    with Image.open(io.BytesIO(encode_png(image))) as stored:
        np.testing.assert_array_equal(np.asarray(stored), np.asarray(image))


def thumbnail(name: str, seed: int, turn: float) -> np.ndarray:
    """[16, 16, 3]: the object 13 pixels wide, cut from the middle of a scene of 32 x 32 pixels."""
    image = paint_layout((PlacedObject(name, 0.5, 0.5, 0.2, turn),), np.random.default_rng(seed), 96)
    return np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float64)[8:24, 8:24]


def test_objects_differ_at_32_pixels():
    """Averaged over 24 backgrounds, shades and turns, every two objects differ by 12 of 255 or more per pixel
    and channel; and a thumbnail resembles the average of its own kind the most in 98 of 100 cases."""
    turns = np.random.default_rng(0).uniform(-25, 25, 48)
    mean = {name: np.mean([thumbnail(name, i, turns[i]) for i in range(24)], axis=0) for name in OBJECT_NAMES}
    distance = {pair: np.abs(mean[pair[0]] - mean[pair[1]]).mean() for pair in combinations(OBJECT_NAMES, 2)}
    closest = min(distance, key=lambda pair: distance[pair])
    assert distance[closest] >= 12, closest

    def nearest(image: np.ndarray) -> str:
        return min(OBJECT_NAMES, key=lambda name: np.abs(image - mean[name]).mean())

    right = [nearest(thumbnail(name, i, turns[i])) == name for name in OBJECT_NAMES for i in range(24, 48)]
    assert np.mean(right) >= 0.98
