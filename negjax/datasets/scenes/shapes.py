"""Vector shapes that objects are drawn from: a colour and the corners of a polygon.

Coordinates are those of one object: x to the right and y down, in a unit that `scene_object` scales such that the
object fits the unit circle. Ellipses and lines are converted to polygons, so that turning and scaling an object is
exact. Colours are "#rrggbb".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageColor

RGB = tuple[int, int, int]
Points = NDArray[np.float64]  # [P, 2]
Shape = tuple[RGB, Points]

WHITE, BLACK = "#ffffff", "#16161c"


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An object that scenes show.

    Attributes:
        name: its name in captions and questions.
        shapes: its polygons in painting order, within the circle of radius 1 around the origin.
    """

    name: str
    shapes: tuple[Shape, ...]


def scene_object(name: str, *shapes: Shape) -> SceneObject:
    """Build an object from shapes, moved and scaled such that its bounding box is centred and its radius is 1.

    Args:
        name: the object's name.
        *shapes: its polygons in painting order, in any unit.
    """
    points_P2 = np.concatenate([points for _, points in shapes])
    centre_2 = (points_P2.min(0) + points_P2.max(0)) / 2
    radius = np.linalg.norm(points_P2 - centre_2, axis=1).max()
    return SceneObject(name, tuple((colour, (points - centre_2) / radius) for colour, points in shapes))


def polygon(colour: str, points: ArrayLike) -> Shape:
    """Build a filled polygon from its corners [P, 2]."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return (red, green, blue), np.asarray(points, dtype=np.float64)


def smooth_polygon(colour: str, points: ArrayLike) -> Shape:
    """Build a filled smooth outline through the points [P, 2]."""
    return polygon(colour, curve(points, closed=True))


def mirrored_polygon(colour: str, right_half: ArrayLike) -> Shape:
    """Build a filled smooth outline that is symmetric about x = 0.

    Args:
        colour: its colour.
        right_half: points [P, 2] of its right half, the first and the last with x = 0.
    """
    right_P2 = np.asarray(right_half, dtype=np.float64)
    return smooth_polygon(colour, np.concatenate([right_P2, right_P2[-2:0:-1] * (-1, 1)]))


def box(colour: str, left: float, top: float, right: float, bottom: float) -> Shape:
    """Build a rectangle parallel to the axes."""
    return polygon(colour, [(left, top), (right, top), (right, bottom), (left, bottom)])


def ellipse(colour: str, x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> Shape:
    """Build an ellipse from its centre, its half axes and a clockwise tilt in degrees."""
    return polygon(colour, arc(x, y, rx, ry, 0, 360, tilt)[:-1])


def wedge(colour: str, x: float, y: float, radius: float, start: float, end: float) -> Shape:
    """Build a slice of a disc between two angles in degrees, clockwise from the right."""
    return polygon(colour, [(x, y), *arc(x, y, radius, radius, start, end)])


def stroke(colour: str, width: float | Sequence[float], points: ArrayLike) -> Shape:
    """Build a thick line through points.

    Args:
        colour: its colour.
        width: its width, or widths at evenly spaced points from the first to the last.
        points: the points [P, 2] on its middle.
    """
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
    """Build a circle drawn as a thick line; `radius` is that of the middle of the line."""
    return stroke(colour, width, arc(x, y, radius, radius, 0, 360))


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, tilt: float = 0.0, corners: int = 28
) -> Points:
    """Compute points on an ellipse.

    Args:
        x, y: its centre.
        rx, ry: its half axes.
        start, end: angles in degrees, clockwise from the right.
        tilt: clockwise tilt of the ellipse in degrees.
        corners: the number of points on a full turn.

    Returns:
        Points [P, 2] from `start` to `end`, both included; on a full turn the first and the last are the same.
    """
    count = max(3, round(corners * abs(end - start) / 360))
    angle = np.radians(np.linspace(start, end, count + 1))
    points_P2 = np.stack([rx * np.cos(angle), ry * np.sin(angle)], axis=1)
    turn = np.radians(tilt)
    turn_22 = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return points_P2 @ turn_22 + (x, y)


def curve(points: ArrayLike, closed: bool = False, steps: int = 4) -> Points:
    """Compute a smooth line through points, a Catmull-Rom spline.

    Args:
        points: the points [K, 2].
        closed: return to the first point.
        steps: the number of points computed between two given ones.

    Returns:
        Points [P, 2].
    """
    knots_P2 = np.asarray(points, dtype=np.float64)
    ends = (knots_P2[-1:], knots_P2[:2]) if closed else (knots_P2[:1], knots_P2[-1:])
    padded = np.concatenate([ends[0], knots_P2, ends[1]])
    t = np.arange(steps)[:, None] / steps
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:])
    ]
    return np.concatenate(pieces if closed else [*pieces, knots_P2[-1:]])
