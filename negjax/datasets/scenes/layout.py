"""Where the objects of a scene stand: place, size, turn, painting order, and how much of each stays visible.

Visibility is measured without drawing: 400 sample points of each object's silhouette are looked up in the
silhouettes of the objects painted over it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from negjax.datasets.scenes.objects import OBJECTS
from negjax.datasets.scenes.shapes import SceneObject

BY_NAME: dict[str, SceneObject] = {each.name: each for each in OBJECTS}
MIN_VISIBLE = 0.6
MARGIN = 0.05  # kept above MIN_VISIBLE, for what sampling and pixels may differ
MAX_OBJECTS = 4
MAX_TURN = 25.0  # degrees, both ways
DIAMETERS = {1: (0.5, 0.68), 2: (0.44, 0.58), 3: (0.4, 0.5), 4: (0.37, 0.46)}  # shares of the picture's side
ROUNDS, SPOTS = 6, 8  # tries for a whole scene, and for the spot of one object

_RASTER = 96  # side of a silhouette's lookup table
_SAMPLES = 400


@dataclass(frozen=True)
class Placed:
    """An object in a scene: its circle in shares of the picture's side, its clockwise turn in degrees."""

    name: str
    x: float
    y: float
    radius: float
    turn: float

    def to_picture(self, points_P2: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit coordinates of the object to shares of the picture's side."""
        angle = np.radians(self.turn)
        cos, sin = self.radius * np.cos(angle), self.radius * np.sin(angle)
        x_P, y_P = points_P2[:, 0], points_P2[:, 1]
        return np.stack([x_P * cos - y_P * sin + self.x, x_P * sin + y_P * cos + self.y], axis=1)

    def to_unit(self, points_P2: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of `to_picture`."""
        angle = np.radians(self.turn)
        cos, sin = np.cos(angle) / self.radius, np.sin(angle) / self.radius
        x_P, y_P = points_P2[:, 0] - self.x, points_P2[:, 1] - self.y
        return np.stack([x_P * cos + y_P * sin, y_P * cos - x_P * sin], axis=1)


Layout = tuple[Placed, ...]  # in painting order: later ones cover earlier ones


def place(names: Sequence[str], rng: np.random.Generator) -> Layout:
    """A random layout of 1 to 4 different objects, each inside the picture and at least 60 % visible.

    Most scenes ask for more than that, so that strong overlaps are rare. After a fixed number of tries the
    objects go to the quarters of the picture.
    """
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise ValueError(f"a scene holds 1 to {MAX_OBJECTS} objects, not {len(names)}")
    order = [names[i] for i in rng.permutation(len(names))]
    wanted = rng.uniform(0.72, 1.0)
    for _ in range(ROUNDS):
        layout = _try_to_place(order, wanted, rng)
        if layout is not None:
            return layout
        wanted = max(MIN_VISIBLE + MARGIN, wanted - 0.1)
    return _quarters(order, rng)


def visible_fractions(layout: Layout) -> tuple[float, ...]:
    """The share of each object's silhouette that no later object covers, in painting order."""
    seen = _Visibility()
    for placed in layout:
        seen.add(placed)
    return tuple(seen.fractions())


class _Visibility:
    """The sample points of the objects so far, and which of them are still uncovered."""

    def __init__(self) -> None:
        self.layout: list[Placed] = []
        self.points: list[NDArray[np.float64]] = []
        self.visible: list[NDArray[np.bool_]] = []

    def fractions(self) -> list[float]:
        return [float(visible_P.mean()) for visible_P in self.visible]

    def add(self, placed: Placed, least: float = 0.0) -> bool:
        """Puts an object on top, unless an earlier one would fall below the share `least`."""
        after = list(self.visible)
        for i, below in enumerate(self.layout):
            if np.hypot(below.x - placed.x, below.y - placed.y) < below.radius + placed.radius:
                after[i] = self.visible[i] & ~_covers(placed, self.points[i])
                if after[i].mean() < least:
                    return False
        samples_P2 = placed.to_picture(_silhouette(placed.name)[1])
        self.layout.append(placed)
        self.points.append(samples_P2)
        self.visible = [*after, np.ones(len(samples_P2), dtype=bool)]
        return True


def _try_to_place(order: Sequence[str], wanted: float, rng: np.random.Generator) -> Layout | None:
    seen = _Visibility()
    for name in order:
        radius, turn = rng.uniform(*DIAMETERS[len(order)]) / 2, rng.uniform(-MAX_TURN, MAX_TURN)
        low_2, high_2 = _room(name, radius, turn)
        spots_S2 = rng.uniform(low_2, high_2, (SPOTS, 2))
        if not any(seen.add(Placed(name, float(x), float(y), radius, turn), wanted) for x, y in spots_S2):
            return None
    return tuple(seen.layout)


def _quarters(order: Sequence[str], rng: np.random.Generator) -> Layout:
    cells = rng.permutation(4)
    return tuple(
        Placed(
            name,
            0.28 + 0.44 * (cell % 2),
            0.28 + 0.44 * (cell // 2),
            0.21,
            rng.uniform(-MAX_TURN, MAX_TURN),
        )
        for name, cell in zip(order, cells)
    )


def _room(name: str, radius: float, turn: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and greatest centre [x, y] at which the turned object is wholly inside the picture."""
    outline_P2 = Placed(name, 0.0, 0.0, radius, turn).to_picture(_silhouette(name)[2])
    return -outline_P2.min(0), 1 - outline_P2.max(0)


def _covers(placed: Placed, points_P2: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points of the picture the object's silhouette covers: [P]."""
    cell_P2 = np.floor((placed.to_unit(points_P2) + 1) * (_RASTER / 2)).astype(np.int64)
    inside_P: NDArray[np.bool_] = np.all((cell_P2 >= 0) & (cell_P2 < _RASTER), axis=1)
    cell_P2 = np.where(inside_P[:, None], cell_P2, 0)
    return inside_P & _silhouette(placed.name)[0][cell_P2[:, 1], cell_P2[:, 0]]


@cache
def _silhouette(name: str) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """The lookup table [y, x] over [-1, 1]^2, samples [P, 2] spread evenly over it, all corners [C, 2]."""
    shapes = BY_NAME[name].shapes
    picture = Image.new("1", (4 * _RASTER, 4 * _RASTER))
    for _, points_P2 in shapes:
        ImageDraw.Draw(picture).polygon(((points_P2 + 1) * 2 * _RASTER).round().ravel().tolist(), fill=1)
    table = np.asarray(picture)[2::4, 2::4]
    y_P, x_P = np.nonzero(table)
    chosen = np.linspace(0, len(x_P) - 1, _SAMPLES).round().astype(np.int64)
    samples_P2 = np.stack([x_P[chosen] + 0.5, y_P[chosen] + 0.5], axis=1) * (2 / _RASTER) - 1
    return table, samples_P2, np.concatenate([points for _, points in shapes])
