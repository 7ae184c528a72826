"""Encoded pictures: of one colour, and of noise."""

import io

import numpy as np
from PIL import Image


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The image as a file of this kind (PNG, JPEG, ...); Pillow takes the options."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def shade_image(shade: int, size: tuple[int, int] = (20, 20)) -> Image.Image:
    """A picture of one colour: the shade, 0 to 255, of red."""
    return Image.new("RGB", size, (shade, 0, 0))


def noise_image(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """A picture of noise; size is (width, height) as in Pillow."""
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8))


def png(shade: int) -> bytes:
    return encode(shade_image(shade))


def jpeg(shade: int) -> bytes:
    return encode(shade_image(shade), "JPEG")


def noise_png(seed: int, size: tuple[int, int] = (40, 32)) -> bytes:
    return encode(noise_image(seed, size))


def noise_jpeg(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    return encode(noise_image(seed, size), "JPEG")
