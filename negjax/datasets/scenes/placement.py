"""A placed object: where, how large and how turned an object is in a scene.

Two coordinate systems: the object's own, in which it fills the unit circle, and the image's, in shares of its side
with (0, 0) at the top left. Shape suffix: P points.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PlacedObject:
    """An object in a scene.

    Attributes:
        name: the name of the object.
        x, y: the centre of its circle, in image coordinates.
        radius: the radius of its circle, in image coordinates.
        turn: its clockwise turn in degrees.
    """

    name: str
    x: float
    y: float
    radius: float
    turn: float

    def to_image(self, points_P2: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert points [P, 2] from the object's coordinates to the image's."""
        angle = np.radians(self.turn)
        cos, sin = self.radius * np.cos(angle), self.radius * np.sin(angle)
        x_P, y_P = points_P2[:, 0], points_P2[:, 1]
        image_P2 = np.empty_like(points_P2)
        image_P2[:, 0], image_P2[:, 1] = x_P * cos - y_P * sin + self.x, x_P * sin + y_P * cos + self.y
        return image_P2

    def to_object(self, points_P2: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert points [P, 2] from the image's coordinates to the object's."""
        angle = np.radians(self.turn)
        cos, sin = np.cos(angle) / self.radius, np.sin(angle) / self.radius
        x_P, y_P = points_P2[:, 0] - self.x, points_P2[:, 1] - self.y
        object_P2 = np.empty_like(points_P2)
        object_P2[:, 0], object_P2[:, 1] = x_P * cos + y_P * sin, y_P * cos - x_P * sin
        return object_P2


SceneLayout = tuple[PlacedObject, ...]  # in painting order: later objects cover earlier ones
