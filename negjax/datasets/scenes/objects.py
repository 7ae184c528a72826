"""The 24 objects that scenes show, each with its own outline and colours, in alphabetical order."""

from negjax.datasets.scenes.manmade_objects import MANMADE_OBJECTS
from negjax.datasets.scenes.natural_objects import NATURAL_OBJECTS
from negjax.datasets.scenes.shapes import SceneObject

SCENE_OBJECTS: dict[str, SceneObject] = {
    scene_object.name: scene_object
    for scene_object in sorted((*NATURAL_OBJECTS, *MANMADE_OBJECTS), key=lambda scene_object: scene_object.name)
}
OBJECT_NAMES: tuple[str, ...] = tuple(SCENE_OBJECTS)
