"""Vector shapes: a colour and the corners of a polygon, in unit coordinates with y pointing down.

Ellipses and lines become polygons at once, so that turning and scaling an object is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageColor

RGB = tuple[int, int, int]
Points = NDArray[np.float64]  # [P, 2]
Shape = tuple[RGB, Points]


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A nameable thing: its polygons in painting order, within the circle of radius 1 around the origin."""

    name: str
    shapes: tuple[Shape, ...]


def scene_object(name: str, *shapes: Shape) -> SceneObject:
    """The object made of these shapes, moved and scaled to have its bounding box centred and radius 1."""
    points_P2 = np.concatenate([points for _, points in shapes])
    centre_2 = (points_P2.min(0) + points_P2.max(0)) / 2
    radius = np.linalg.norm(points_P2 - centre_2, axis=1).max()
    return SceneObject(name, tuple((colour, (points - centre_2) / radius) for colour, points in shapes))


def polygon(colour: str, points: ArrayLike) -> Shape:
    """A filled polygon; `colour` is "#rrggbb", `points` is [P, 2]."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return (red, green, blue), np.asarray(points, dtype=np.float64)


def blob(colour: str, points: ArrayLike) -> Shape:
    """A smooth closed outline through the points [P, 2]."""
    return polygon(colour, curve(points, closed=True))


def symmetric(colour: str, right_half: ArrayLike) -> Shape:
    """A smooth closed outline, mirrored at x = 0; its right half [P, 2] starts and ends on that axis."""
    right_P2 = np.asarray(right_half, dtype=np.float64)
    return blob(colour, np.concatenate([right_P2, right_P2[-2:0:-1] * (-1, 1)]))


def box(colour: str, left: float, top: float, right: float, bottom: float) -> Shape:
    """A rectangle along the axes."""
    return polygon(colour, [(left, top), (right, top), (right, bottom), (left, bottom)])


def ellipse(colour: str, x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> Shape:
    """An ellipse with its centre, half axes and a clockwise tilt in degrees."""
    return polygon(colour, arc(x, y, rx, ry, 0, 360, tilt)[:-1])


def wedge(colour: str, x: float, y: float, radius: float, start: float, end: float) -> Shape:
    """A slice of a disc between two angles in degrees, clockwise from the right."""
    return polygon(colour, [(x, y), *arc(x, y, radius, radius, start, end)])


def stroke(colour: str, width: float | Sequence[float], points: ArrayLike) -> Shape:
    """A thick line through [P, 2] points; a sequence of widths is spread evenly over the points."""
    line_P2 = np.asarray(points, dtype=np.float64)
    step_P2 = np.diff(line_P2, axis=0)
    along_P2 = step_P2 / np.linalg.norm(step_P2, axis=1, keepdims=True)
    along_P2 = np.concatenate([along_P2[:1], along_P2[:-1] + along_P2[1:], along_P2[-1:]])
    along_P2 /= np.linalg.norm(along_P2, axis=1, keepdims=True)
    widths = np.atleast_1d(np.asarray(width, dtype=np.float64))
    half_P = np.interp(np.linspace(0, 1, len(line_P2)), np.linspace(0, 1, len(widths)), widths) / 2
    side_P2 = np.stack([-along_P2[:, 1], along_P2[:, 0]], axis=1) * half_P[:, None]
    return polygon(colour, np.concatenate([line_P2 + side_P2, (line_P2 - side_P2)[::-1]]))


def ring(colour: str, x: float, y: float, radius: float, width: float) -> Shape:
    """A circle drawn as a thick line; `radius` goes to the middle of the line."""
    return stroke(colour, width, arc(x, y, radius, radius, 0, 360))


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, tilt: float = 0.0, corners: int = 28
) -> Points:
    """Points on an ellipse between two angles in degrees, both ends included; `corners` to a full turn.

    The first and last of a full turn are the same point.
    """
    count = max(3, round(corners * abs(end - start) / 360))
    angle = np.radians(np.linspace(start, end, count + 1))
    points_P2 = np.stack([rx * np.cos(angle), ry * np.sin(angle)], axis=1)
    turn = np.radians(tilt)
    turn_22 = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return points_P2 @ turn_22 + (x, y)


def curve(points: ArrayLike, closed: bool = False, steps: int = 4) -> Points:
    """A smooth line through the points (Catmull-Rom), with `steps` points for each piece."""
    knots_P2 = np.asarray(points, dtype=np.float64)
    ends = (knots_P2[-1:], knots_P2[:2]) if closed else (knots_P2[:1], knots_P2[-1:])
    padded = np.concatenate([ends[0], knots_P2, ends[1]])
    t = np.arange(steps)[:, None] / steps
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:])
    ]
    return np.concatenate(pieces if closed else [*pieces, knots_P2[-1:]])
