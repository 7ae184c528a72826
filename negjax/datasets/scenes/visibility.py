"""How much of each object of a layout stays visible, measured without drawing.

400 sample points of each object's silhouette are looked up in the silhouettes of the objects painted over it. Shape
suffixes: P points, C corners, YX rows and columns of a silhouette.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from negjax.datasets.scenes.objects import SCENE_OBJECTS
from negjax.datasets.scenes.placement import PlacedObject, SceneLayout

_RASTER_SIDE = 96  # of a silhouette's lookup table
_SAMPLES = 400


def visible_fractions(layout: SceneLayout) -> tuple[float, ...]:
    """Measure the share of each object's silhouette that no later object covers.

    Args:
        layout: the placed objects in painting order.

    Returns:
        A number from 0 to 1 for each object, in the same order.
    """
    tracker = VisibilityTracker()
    for placed in layout:
        tracker.add(placed)
    return tuple(float(visible_P.mean()) for visible_P in tracker.visible)


class VisibilityTracker:
    """A layout that is built object by object, with the sample points of each object that are still uncovered.

    Attributes:
        layout: the objects so far, in painting order.
        samples: for each object its sample points in image coordinates [P, 2].
        visible: for each object which sample points are uncovered [P].
    """

    def __init__(self) -> None:
        self.layout: list[PlacedObject] = []
        self.samples: list[NDArray[np.float64]] = []
        self.visible: list[NDArray[np.bool_]] = []

    def add(self, placed: PlacedObject, min_visible: float = 0.0) -> bool:
        """Put an object on top, unless it covers too much of an earlier one.

        Args:
            placed: the object.
            min_visible: the share of each earlier object that must stay visible.

        Returns:
            Whether the object was added.
        """
        visible = list(self.visible)
        for i, below in enumerate(self.layout):
            if np.hypot(below.x - placed.x, below.y - placed.y) < below.radius + placed.radius:
                visible[i] = self.visible[i] & ~_find_covered(placed, self.samples[i])
                if np.count_nonzero(visible[i]) / _SAMPLES < min_visible:
                    return False
        samples_P2 = placed.to_image(silhouette(placed.name)[1])
        self.layout.append(placed)
        self.samples.append(samples_P2)
        self.visible = [*visible, np.ones(len(samples_P2), dtype=bool)]
        return True


@cache
def silhouette(name: str) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the silhouette of an object, in the object's coordinates.

    Args:
        name: the name of the object.

    Returns:
        Whether each cell of a raster over [-1, 1]^2 is covered, with a margin of one empty cell [Y, X], sample points
        spread evenly over the covered cells [P, 2], and the corners of all polygons [C, 2].
    """
    shapes = SCENE_OBJECTS[name].shapes
    image = Image.new("1", (4 * _RASTER_SIDE, 4 * _RASTER_SIDE))
    for _, points_C2 in shapes:
        ImageDraw.Draw(image).polygon(((points_C2 + 1) * 2 * _RASTER_SIDE).round().ravel().tolist(), fill=1)
    covered_YX = np.asarray(image)[2::4, 2::4]
    y_P, x_P = np.nonzero(covered_YX)
    chosen = np.linspace(0, len(x_P) - 1, _SAMPLES).round().astype(np.int64)
    samples_P2 = np.stack([x_P[chosen] + 0.5, y_P[chosen] + 0.5], axis=1) * (2 / _RASTER_SIDE) - 1
    return np.pad(covered_YX, 1), samples_P2, np.concatenate([points for _, points in shapes])


def _find_covered(placed: PlacedObject, points_P2: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find which points of the image the object's silhouette covers [P]."""
    raster_YX = silhouette(placed.name)[0]
    cell_P2 = np.floor((placed.to_object(points_P2) + 1) * (_RASTER_SIDE / 2))
    x_P, y_P = (np.clip(cell_P2, -1, _RASTER_SIDE).astype(np.int64) + 1).T  # of the margin, where a point is outside
    covered_P: NDArray[np.bool_] = raster_YX[y_P, x_P]
    return covered_P
