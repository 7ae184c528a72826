"""Random layouts of scenes: position, size, turn and painting order of each object, with a bound on occlusion."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from negjax.datasets.scenes.placement import PlacedObject, SceneLayout
from negjax.datasets.scenes.visibility import VisibilityTracker, silhouette

MIN_VISIBLE = 0.6
SAMPLING_MARGIN = 0.05  # added to MIN_VISIBLE, because sample points differ from pixels
MAX_OBJECTS = 4
MAX_TURN = 25.0  # degrees, both ways
DIAMETERS = {1: (0.5, 0.68), 2: (0.44, 0.58), 3: (0.4, 0.5), 4: (0.37, 0.46)}  # shares of the image's side
LAYOUT_TRIES = 6  # before the objects go to the quarters of the image
POSITION_TRIES = 8  # for each object of a layout


def place_objects(names: Sequence[str], rng: np.random.Generator) -> SceneLayout:
    """Draw a layout in which each object is inside the image and at least 60 % visible.

    Most layouts require more than that, so that strong overlaps are rare. After LAYOUT_TRIES failures the objects go
    to the quarters of the image.

    Args:
        names: the names of 1 to MAX_OBJECTS different objects.
        rng: draws the layout.

    Returns:
        The placed objects in painting order.

    Raises:
        ValueError: for a wrong number of objects.
    """
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise ValueError(f"a scene holds 1 to {MAX_OBJECTS} objects, not {len(names)}")
    order = [names[i] for i in rng.permutation(len(names))]
    min_visible = rng.uniform(0.72, 1.0)
    for _ in range(LAYOUT_TRIES):
        layout = _try_layout(order, min_visible, rng)
        if layout is not None:
            return layout
        min_visible = max(MIN_VISIBLE + SAMPLING_MARGIN, min_visible - 0.1)
    return _place_in_quarters(order, rng)


def _try_layout(order: Sequence[str], min_visible: float, rng: np.random.Generator) -> SceneLayout | None:
    """Place the objects one by one; None when one of them fits at none of its positions."""
    tracker = VisibilityTracker()
    for name in order:
        radius, turn = rng.uniform(*DIAMETERS[len(order)]) / 2, rng.uniform(-MAX_TURN, MAX_TURN)
        low_2, high_2 = _centre_bounds(name, radius, turn)
        centres_S2 = rng.uniform(low_2, high_2, (POSITION_TRIES, 2))
        candidates = (PlacedObject(name, float(x), float(y), radius, turn) for x, y in centres_S2)
        if not any(tracker.add(candidate, min_visible) for candidate in candidates):
            return None
    return tuple(tracker.layout)


def _place_in_quarters(order: Sequence[str], rng: np.random.Generator) -> SceneLayout:
    """Place each object in a quarter of the image, where no two overlap."""
    quarters = rng.permutation(4)
    return tuple(
        PlacedObject(
            name,
            0.28 + 0.44 * (quarter % 2),
            0.28 + 0.44 * (quarter // 2),
            0.21,
            rng.uniform(-MAX_TURN, MAX_TURN),
        )
        for name, quarter in zip(order, quarters)
    )


def _centre_bounds(name: str, radius: float, turn: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the smallest and largest centre (x, y) at which the whole turned object is inside the image."""
    outline_C2 = PlacedObject(name, 0.0, 0.0, radius, turn).to_image(silhouette(name)[2])
    return -outline_C2.min(0), 1 - outline_C2.max(0)
