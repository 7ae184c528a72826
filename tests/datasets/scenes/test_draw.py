"""Drawn scenes: what is asked for is there, inside the picture, visible, and told apart at 32 pixels."""

import hashlib
import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from negjax.datasets.scenes import layout as layouts
from negjax.datasets.scenes.draw import draw_scene, encode_png, paint_layout
from negjax.datasets.scenes.layout import MAX_OBJECTS, place_objects
from negjax.datasets.scenes.objects import OBJECT_NAMES, SCENE_OBJECTS
from negjax.datasets.scenes.placement import Layout, PlacedObject
from negjax.datasets.scenes.visibility import visible_fractions

SHAPES = {name: scene_object.shapes for name, scene_object in SCENE_OBJECTS.items()}


def random_names(rng: np.random.Generator, count: int) -> list[str]:
    return [OBJECT_NAMES[i] for i in rng.choice(len(OBJECT_NAMES), count, replace=False)]


def corners(placed: PlacedObject) -> list[list[complex]]:
    """The object's polygons in shares of the picture's side, by complex arithmetic."""
    turn = placed.radius * np.exp(1j * np.radians(placed.turn))
    centre = complex(placed.x, placed.y)
    return [[complex(x, y) * turn + centre for x, y in points] for _, points in SHAPES[placed.name]]


def mask(placed: PlacedObject, side: int = 320) -> np.ndarray:
    """The object's silhouette in a picture without anything else."""
    picture = Image.new("1", (side, side))
    for polygon in corners(placed):
        ImageDraw.Draw(picture).polygon([(side * z.real, side * z.imag) for z in polygon], fill=1)
    return np.asarray(picture)


def brute_force_fractions(layout: Layout) -> list[float]:
    masks = [mask(placed) for placed in layout]
    fractions = []
    for i, own in enumerate(masks):
        hidden = np.any([*masks[i + 1 :], np.zeros_like(own)], axis=0)
        fractions.append((own & ~hidden).sum() / own.sum())
    return fractions


def test_objects_have_names_of_their_own_and_fit_the_unit_circle():
    assert len(OBJECT_NAMES) == len(set(OBJECT_NAMES)) == len(SCENE_OBJECTS) == 24
    assert list(OBJECT_NAMES) == sorted(OBJECT_NAMES)
    for each in SCENE_OBJECTS.values():
        assert each.name.isalpha()
        assert each.name.islower()
        radius = max(np.linalg.norm(points, axis=1).max() for _, points in each.shapes)
        assert radius == pytest.approx(1.0)
        assert 2 <= len({colour for colour, _ in each.shapes}) <= 6
        box_2 = np.ptp(np.concatenate([points for _, points in each.shapes]), axis=0)
        assert box_2.min() >= 0.8  # no object is so slim that it gets lost


def test_300_random_layouts_are_visible_and_inside():
    rng = np.random.default_rng(0)
    overlapping = 0
    for i in range(300):
        names = random_names(rng, 1 + i % MAX_OBJECTS)
        layout = place_objects(names, rng)
        assert sorted(placed.name for placed in layout) == sorted(names)
        points = np.array([z for placed in layout for polygon in corners(placed) for z in polygon])
        assert points.real.min() >= 0
        assert points.imag.min() >= 0
        assert points.real.max() <= 1
        assert points.imag.max() <= 1
        low, high = layouts.DIAMETERS[len(names)]
        assert all(low <= 2 * placed.radius <= high for placed in layout)
        exact = brute_force_fractions(layout)
        assert min(exact) >= 0.6
        assert visible_fractions(layout) == pytest.approx(exact, abs=layouts.SAMPLING_MARGIN)
        overlapping += min(exact) < 0.9
    assert overlapping > 30  # the scenes are not all tidy


def test_visible_fractions_of_a_covered_object():
    below, above = PlacedObject("hat", 0.5, 0.5, 0.1, 0.0), PlacedObject("ball", 0.5, 0.5, 0.3, 0.0)
    assert visible_fractions((below, above)) == (0.0, 1.0)
    assert visible_fractions((above,)) == (1.0,)


def test_quarters_when_no_try_succeeds(monkeypatch):
    monkeypatch.setattr(layouts, "LAYOUT_TRIES", 0)
    layout = place_objects(["tree", "car", "cat", "ball"], np.random.default_rng(0))
    assert visible_fractions(layout) == (1.0, 1.0, 1.0, 1.0)
    assert all(abs(c - 0.5) + placed.radius <= 0.5 for placed in layout for c in (placed.x, placed.y))


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
