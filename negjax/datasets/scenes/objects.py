"""The 24 objects of the scenes, each with an outline and colours of its own, in alphabetical order."""

from negjax.datasets.scenes.made import MADE
from negjax.datasets.scenes.nature import NATURE
from negjax.datasets.scenes.shapes import SceneObject

OBJECTS: tuple[SceneObject, ...] = tuple(sorted((*NATURE, *MADE), key=lambda each: each.name))
NAMES: tuple[str, ...] = tuple(each.name for each in OBJECTS)
