"""Scenes as images: a muted background and the placed objects, each with a slight change of hue and brightness."""

import colorsys
import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from negjax.datasets.scenes.layout import place_objects
from negjax.datasets.scenes.objects import SCENE_OBJECTS
from negjax.datasets.scenes.placement import SceneLayout
from negjax.datasets.scenes.shapes import RGB

SUPERSAMPLING = 2  # factor by which a scene is drawn larger before it is averaged
HUE_JITTER = 0.02  # of the colour circle, both ways
BRIGHTNESS_JITTER = 0.15  # of full brightness, both ways


def draw_scene(names: Sequence[str], rng: np.random.Generator, size: int = 96) -> Image.Image:
    """Draw a scene of 1 to 4 different objects.

    Args:
        names: the names of the objects.
        rng: draws the layout, the background and the colours.
        size: the side of the image in pixels.

    Returns:
        An RGB image of size x size pixels.

    Raises:
        ValueError: for a wrong number of objects.
    """
    return paint_layout(place_objects(names, rng), rng, size)


def paint_layout(layout: SceneLayout, rng: np.random.Generator, size: int) -> Image.Image:
    """Paint a layout over a random background, in random shades of the objects' colours.

    Corners are rounded to whole pixels of the larger canvas, so that the last bits of floating-point numbers, which
    differ between machines, do not reach the image.

    Args:
        layout: the placed objects in painting order.
        rng: draws the background and the colours.
        size: the side of the image in pixels.

    Returns:
        An RGB image of size x size pixels.
    """
    canvas = _draw_background(SUPERSAMPLING * size, rng)
    draw = ImageDraw.Draw(canvas)
    for placed in layout:
        points_P2, parts = _geometry(placed.name)
        hue, brightness = rng.uniform((-HUE_JITTER, 1 - BRIGHTNESS_JITTER), (HUE_JITTER, 1 + BRIGHTNESS_JITTER))
        shades: dict[RGB, RGB] = {}
        corners = np.rint(placed.to_image(points_P2) * (SUPERSAMPLING * size)).ravel().tolist()
        for colour, start, end in parts:
            if colour not in shades:
                shades[colour] = _shade(colour, hue, brightness)
            draw.polygon(corners[2 * start : 2 * end], fill=shades[colour])
    return canvas.reduce(SUPERSAMPLING)


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as PNG, with little compression for speed; the bytes depend on the release of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@cache
def _geometry(name: str) -> tuple[NDArray[np.float64], list[tuple[RGB, int, int]]]:
    """Collect all corners of an object [P, 2], and the colour and range of corners of each polygon."""
    shapes = SCENE_OBJECTS[name].shapes
    ends = np.cumsum([len(points) for _, points in shapes]).tolist()
    parts = [(colour, end - len(points), end) for (colour, points), end in zip(shapes, ends)]
    return np.concatenate([points for _, points in shapes]), parts


def _shade(colour: RGB, turn: float, brightness: float) -> RGB:
    """Turn the hue of a colour and scale its brightness."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    red, green, blue = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, min(1.0, value * brightness))
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_background(side: int, rng: np.random.Generator) -> Image.Image:
    """Draw a background of one colour, two colours with a horizon, or a gradient; always pale and muted."""
    kind = rng.integers(3)
    first, second = _draw_muted_colour(rng), _draw_muted_colour(rng)
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


def _draw_muted_colour(rng: np.random.Generator) -> RGB:
    """Draw a colour of low saturation and medium to high brightness."""
    hue, saturation, value = rng.uniform((0.0, 0.03, 0.64), (1.0, 0.2, 0.93))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
