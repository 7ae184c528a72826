"""Layouts of scenes: each object is inside the image and visible, measured by drawing silhouettes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from negjax.datasets.scenes import layout as layouts
from negjax.datasets.scenes.layout import MAX_OBJECTS, place_objects
from negjax.datasets.scenes.objects import OBJECT_NAMES, SCENE_OBJECTS
from negjax.datasets.scenes.placement import PlacedObject, SceneLayout
from negjax.datasets.scenes.visibility import visible_fractions

SHAPES = {name: scene_object.shapes for name, scene_object in SCENE_OBJECTS.items()}


def random_names(rng: np.random.Generator, count: int) -> list[str]:
    return [OBJECT_NAMES[i] for i in rng.choice(len(OBJECT_NAMES), count, replace=False)]


def corners(placed: PlacedObject) -> list[list[complex]]:
    """The object's polygons in image coordinates, by complex arithmetic."""
    turn = placed.radius * np.exp(1j * np.radians(placed.turn))
    centre = complex(placed.x, placed.y)
    return [[complex(x, y) * turn + centre for x, y in points] for _, points in SHAPES[placed.name]]


def mask(placed: PlacedObject, side: int = 320) -> np.ndarray:
    """The object's silhouette in an image without anything else."""
    image = Image.new("1", (side, side))
    for polygon in corners(placed):
        ImageDraw.Draw(image).polygon([(side * z.real, side * z.imag) for z in polygon], fill=1)
    return np.asarray(image)


def brute_force_fractions(layout: SceneLayout) -> list[float]:
    masks = [mask(placed) for placed in layout]
    fractions = []
    for i, visible in enumerate(masks):
        hidden = np.any([*masks[i + 1 :], np.zeros_like(visible)], axis=0)
        fractions.append((visible & ~hidden).sum() / visible.sum())
    return fractions


def test_objects_have_different_names_and_fit_the_unit_circle():
    assert len(OBJECT_NAMES) == len(set(OBJECT_NAMES)) == len(SCENE_OBJECTS) == 24
    assert list(OBJECT_NAMES) == sorted(OBJECT_NAMES)
    for scene_object in SCENE_OBJECTS.values():
        assert scene_object.name.isalpha()
        assert scene_object.name.islower()
        radius = max(np.linalg.norm(points, axis=1).max() for _, points in scene_object.shapes)
        assert radius == pytest.approx(1.0)
        assert 2 <= len({colour for colour, _ in scene_object.shapes}) <= 6
        box_2 = np.ptp(np.concatenate([points for _, points in scene_object.shapes]), axis=0)
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
