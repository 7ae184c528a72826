"""Folders of small pictures."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(path: Path, number: int) -> None:
    """A picture of noise, each number another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def fill(folder: Path, count: int = 12) -> Path:
    """A folder with pictures below folders."""
    for number in range(count):
        draw(folder / f"{'ab'[number % 2]}/{number:02}.png", number)
    return folder
