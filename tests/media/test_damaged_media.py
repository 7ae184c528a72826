"""Random damage of images and clips: the pixels that Pillow gives, or one error that names the file, no other end."""

import io
import resource
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.clips import clip
from support.images import encode, noise_image

from negjax.errors import NegjaxError
from negjax.media.decoding import FORMATS, decode, to_rgb
from negjax.media.images import Preprocess
from negjax.media.jpeg import decode_unresized
from negjax.media.video import read_frames

IMAGE = noise_image(0, (64, 48))
FILES = {
    "JPEG": encode(IMAGE, "JPEG"),
    "progressive JPEG": encode(IMAGE, "JPEG", progressive=True),
    "PNG": encode(IMAGE, "PNG"),
    "palette PNG": encode(IMAGE.quantize(16), "PNG", transparency=3),
    "WebP": encode(IMAGE, "WEBP"),
    "lossless WebP": encode(IMAGE, "WEBP", lossless=True),
    "GIF": encode(IMAGE.quantize(16), "GIF"),
    "TIFF": encode(IMAGE, "TIFF"),
    "packed TIFF": encode(IMAGE, "TIFF", compression="tiff_lzw"),
    "BMP": encode(IMAGE, "BMP"),
    "JPEG 2000": encode(IMAGE, "JPEG2000"),
}
ROUNDS, MOST_BYTES = 150, 1 << 30


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, repeated or cut off; more often near the start, where sizes are."""
    content = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        reach = len(content) if rng.random() < 0.5 else min(len(content), 64)
        place, length = int(rng.integers(reach)), int(rng.integers(1, 16))
        kind = rng.integers(5)
        if kind < 2:
            content[place] = rng.integers(256)
        elif kind == 2:
            content[place : place + length] = rng.bytes(length)
        elif kind == 3:
            content[place:place] = content[place : place + length]
        else:
            del content[place : place + length]
    return bytes(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.2 else content)


def pillow(data: bytes) -> np.ndarray:
    """As open_clip decodes."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return np.asarray(image.convert("RGB"))


def refused(read: Callable[[bytes, str], Any], data: bytes) -> tuple[Any, str]:
    """What reading gives, and the error in one line that names the file; other exceptions end the test."""
    try:
        return read(data, "a file"), ""
    except NegjaxError as error:
        return None, str(error)


def used_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_damaged_images(name):
    rng, before, decoded = np.random.default_rng(len(name)), used_bytes(), 0
    for _ in range(ROUNDS):
        data = damage(FILES[name], rng)
        image, error = refused(decode, data)
        ready = decode_unresized(data, Preprocess(48))
        if image is None:
            assert error.startswith("a file: the image cannot be decoded (")
            assert "\n" not in error
            assert ready is None
            continue
        decoded += 1
        expected = pillow(data)
        np.testing.assert_array_equal(np.asarray(to_rgb(image)), expected)
        if ready is not None:
            np.testing.assert_array_equal(ready, expected[:, 8:56])
    assert decoded < ROUNDS
    assert decoded or "PNG" in name  # whose checksums find everything
    assert used_bytes() - before < MOST_BYTES


@pytest.mark.parametrize("kind", ["mp4", "avi", "matroska"])
def test_damaged_clips(kind):
    rng, whole, before, decoded = np.random.default_rng(0), clip(6, kind), used_bytes(), 0
    for _ in range(ROUNDS):
        frames, error = refused(lambda data, name: read_frames(data, 4, name), damage(whole, rng))
        if frames is None:
            assert error.startswith("a file: ")
            assert "\n" not in error
            continue
        decoded += 1
        assert 0 < len(frames) <= 4
        assert all(frame.mode == "RGB" for frame in frames)
    assert 0 < decoded < ROUNDS
    assert used_bytes() - before < MOST_BYTES
