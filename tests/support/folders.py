"""Folders of small pictures, and what is in the files of a folder."""

import hashlib
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


def digests(folder: Path, pattern: str = "*") -> dict[str, str]:
    """The sha256 of each file below a folder whose name fits, by its path from there."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
