"""Pools of drawn scenes: what each picture shows, and its pixels as PNG."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from negjax.datasets.scenes.draw import draw_scene, encode_png
from negjax.media.images import Preprocess, to_pixels

CHUNK = 256  # scenes that a worker draws at a time


@dataclass(frozen=True)
class Scene:
    """The objects of a picture and the picture as PNG."""

    names: tuple[str, ...]
    png: bytes


def draw_pool(
    combinations: Sequence[Sequence[str]], seed: Sequence[int], resize_to: int = 0, workers: int | None = None
) -> Iterator[Scene]:
    """One scene for each combination of names, in order; the seed and the place in the list decide each picture.

    resize_to: side in pixels to which pictures are reduced as CLIP's preprocessing would (0: as drawn).
    workers: processes that draw; by default one for each core, and none besides this one for a short list.
    """
    chunks = [range(i, min(i + CHUNK, len(combinations))) for i in range(0, len(combinations), CHUNK)]
    work = ([(i, tuple(combinations[i])) for i in chunk] for chunk in chunks)
    draw = partial(_draw_chunk, seed=tuple(seed), resize_to=resize_to)
    workers = min(len(chunks), os.cpu_count() or 1) if workers is None else workers
    if workers <= 1:
        yield from _flatten(map(draw, work))
        return
    # Spawned, not forked: the parent may hold threads of JAX.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield from _flatten(executor.map(draw, work))


def _flatten(chunks: Iterable[list[Scene]]) -> Iterator[Scene]:
    return (scene for chunk in chunks for scene in chunk)


def _draw_chunk(work: list[tuple[int, tuple[str, ...]]], *, seed: tuple[int, ...], resize_to: int) -> list[Scene]:
    scenes = []
    for index, names in work:
        image = draw_scene(names, np.random.default_rng([*seed, index]))
        if resize_to:
            image = Image.fromarray(to_pixels(image, Preprocess(size=resize_to)))
        scenes.append(Scene(names, encode_png(image)))
    return scenes
