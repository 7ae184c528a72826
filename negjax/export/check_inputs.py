"""Pictures and captions on which an exported model is compared: the user's own, or drawn scenes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from negjax.datasets.scenes.draw import draw_scene
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.errors import NegjaxError
from negjax.media.decoding import FORMATS, decode
from negjax.media.images import Preprocess, to_pixels
from negjax.runtime.regular import MAX_FILE_BYTES, read_regular

SCENES = 40
_SEED, _SIDE = 0, 320
_OTHER_CAPTIONS = (
    "",
    "A beach without people!",
    "no dogs, no cats & nothing else",
    "It isn't raining; there's neither an umbrella nor a car.",
    "THE LOGO IS MISSING (2024)",
    "un café sans crème brûlée",
    "  a   street\twith 3 buses  ",
    "a kitchen " + "with no chairs and no tables " * 20,
)


def drawn_pictures(preprocess: Preprocess) -> Iterator[np.ndarray]:
    """Scenes that this project draws, the same each time, as a model's pixels, uint8 [S, S, 3]."""
    rng = np.random.default_rng(_SEED)
    for _ in range(SCENES):
        yield to_pixels(draw_scene(_names(rng)[:3], rng, _SIDE), preprocess)


def written_captions() -> list[str]:
    """Captions of such scenes with a negation, and others with what a tokenizer may stumble over."""
    rng = np.random.default_rng(_SEED)
    names = [_names(rng) for _ in range(SCENES)]
    return [f"a picture of a {a} and a {b}, but no {c}" for a, b, c, _ in names] + list(_OTHER_CAPTIONS)


def find_pictures(folder: Path) -> list[Path]:
    """The images below a folder, by the endings that Pillow knows, in the order of their names.

    Raises:
        NegjaxError: There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise NegjaxError(f"--check {folder}: there is no such folder")
    endings = {ending for ending, name in Image.registered_extensions().items() if name in FORMATS}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings and path.is_file())
    if not paths:
        raise NegjaxError(f"--check {folder}: there is no image below this folder")
    return paths


def read_pictures(paths: list[Path], preprocess: Preprocess) -> Iterator[np.ndarray]:
    """Images as a model's pixels, uint8 [S, S, 3]. Raises NegjaxError for one that cannot be decoded."""
    for path in paths:
        yield to_pixels(decode(read_regular(path, MAX_FILE_BYTES), str(path)), preprocess)


def read_captions(path: str) -> list[str]:
    """The lines of a text file, without empty ones.

    Raises:
        NegjaxError: It cannot be read, is not UTF-8, or has none.
    """
    try:
        lines = read_regular(path, MAX_FILE_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8") from error
    captions = [line for line in lines if line.strip()]
    if not captions:
        raise NegjaxError(f"{path}: there is no caption in this file, one a line")
    return captions


def _names(rng: np.random.Generator) -> list[str]:
    return [OBJECT_NAMES[index] for index in rng.choice(len(OBJECT_NAMES), 4, replace=False)]
