"""Drawing many scenes, in several processes: the names of the objects of each and its image as PNG."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from negjax.datasets.scenes.draw import draw_scene, encode_png
from negjax.media.images import Preprocess, to_pixels
from negjax.runtime.worker_pool import WorkerPool

SCENES_PER_CHUNK = 256  # that a worker draws at a time


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Attributes:
        names: the names of the objects in the image.
        png: the image as PNG.
    """

    names: tuple[str, ...]
    png: bytes


def draw_scenes(
    combinations: Sequence[Sequence[str]], seed: Sequence[int], resize_to: int = 0, pool: WorkerPool | None = None
) -> Iterator[Scene]:
    """Draw one scene for each combination of objects.

    Args:
        combinations: the names of the objects of each scene.
        seed: seeds the image of a scene, together with its index in the list.
        resize_to: side in pixels to which images are reduced, as CLIP's preprocessing resizes; 0 to keep them as drawn.
        pool: processes that begin to draw at once, whether or not the scenes are asked for yet; a short list, and
            without them any list, is drawn by this process when it is asked for.

    Returns:
        The scenes in the order of the list.
    """
    chunks = [
        range(i, min(i + SCENES_PER_CHUNK, len(combinations))) for i in range(0, len(combinations), SCENES_PER_CHUNK)
    ]
    chunks_of_work = ([(i, tuple(combinations[i])) for i in chunk] for chunk in chunks)
    draw = partial(_draw_chunk, seed=tuple(seed), resize_to=resize_to)
    return _flatten(map(draw, chunks_of_work) if pool is None or len(chunks) < 2 else pool.map(draw, chunks_of_work))


def _flatten(chunks: Iterable[list[Scene]]) -> Iterator[Scene]:
    """Chain the chunks, without waiting for later ones."""
    return (scene for chunk in chunks for scene in chunk)


def _draw_chunk(work: list[tuple[int, tuple[str, ...]]], *, seed: tuple[int, ...], resize_to: int) -> list[Scene]:
    """Draw the scenes of a chunk: their indices and names."""
    scenes = []
    for index, names in work:
        image = draw_scene(names, np.random.default_rng([*seed, index]))
        if resize_to:
            image = Image.fromarray(to_pixels(image, Preprocess(size=resize_to)))
        scenes.append(Scene(names, encode_png(image)))
    return scenes
