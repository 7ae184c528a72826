"""Scenes as pictures: a muted background and the placed objects, each in a shade of its own."""

import colorsys
import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from negjax.datasets.scenes.layout import BY_NAME, Layout, place
from negjax.datasets.scenes.shapes import RGB

SCALE = 2  # drawn this much larger, then averaged
HUE_JITTER = 0.02  # turns of the colour circle, both ways
BRIGHTNESS_JITTER = 0.15  # share, both ways


def draw_scene(names: Sequence[str], rng: np.random.Generator, size: int = 96) -> Image.Image:
    """An RGB picture of size x size pixels with 1 to 4 different objects; `rng` decides all the rest."""
    return paint(place(names, rng), rng, size)


def paint(layout: Layout, rng: np.random.Generator, size: int) -> Image.Image:
    """The layout as an RGB picture of size x size pixels, with random background and shades.

    Corners are rounded to whole pixels of the larger canvas, so that the last bits of floating-point numbers
    do not reach the picture.
    """
    canvas = _background(SCALE * size, rng)
    draw = ImageDraw.Draw(canvas)
    for placed in layout:
        points_P2, parts = _geometry(placed.name)
        hue, brightness = rng.uniform((-HUE_JITTER, 1 - BRIGHTNESS_JITTER), (HUE_JITTER, 1 + BRIGHTNESS_JITTER))
        shades: dict[RGB, RGB] = {}
        corners = np.rint(placed.to_picture(points_P2) * (SCALE * size)).ravel().tolist()
        for colour, start, end in parts:
            if colour not in shades:
                shades[colour] = _shade(colour, hue, brightness)
            draw.polygon(corners[2 * start : 2 * end], fill=shades[colour])
    return canvas.reduce(SCALE)


def encode_png(image: Image.Image) -> bytes:
    """The picture as PNG: lossless, packed lightly for speed; the same bytes for one release of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@cache
def _geometry(name: str) -> tuple[NDArray[np.float64], list[tuple[RGB, int, int]]]:
    """All corners of an object in one array [P, 2], and each polygon's colour and range of corners."""
    shapes = BY_NAME[name].shapes
    ends = np.cumsum([len(points) for _, points in shapes]).tolist()
    parts = [(colour, end - len(points), end) for (colour, points), end in zip(shapes, ends)]
    return np.concatenate([points for _, points in shapes]), parts


def _shade(colour: RGB, turn: float, brightness: float) -> RGB:
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    red, green, blue = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, min(1.0, value * brightness))
    return round(255 * red), round(255 * green), round(255 * blue)


def _background(side: int, rng: np.random.Generator) -> Image.Image:
    """One colour, a horizon between two, or a soft gradient; always pale and muted."""
    kind = rng.integers(3)
    first, second = _muted(rng), _muted(rng)
    canvas = Image.new("RGB", (side, side), first)
    if kind == 1:
        horizon = round(side * rng.uniform(0.35, 0.75))
        canvas.paste(second, (0, horizon, side, side))
    elif kind == 2:
        ramp_H13 = np.linspace(first, second, side).round().astype(np.uint8)[:, None]
        canvas = Image.fromarray(ramp_H13).resize((side, side), Image.Resampling.NEAREST)
        if rng.random() < 0.5:
            canvas = canvas.transpose(Image.Transpose.TRANSPOSE)
    return canvas


def _muted(rng: np.random.Generator) -> RGB:
    hue, saturation, value = rng.uniform((0.0, 0.03, 0.64), (1.0, 0.2, 0.93))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
