"""Colours changed at random: torchvision's ColorJitter and open_clip's random grey, on the device.

The host draws six numbers for each image, and the step computes the rest, a few hundred operations a pixel: far less
than a tower takes. Shapes: B batch, H and W the image's sides.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np

from negjax.config import Source

ORDERS = np.array(list(permutations(range(4))))  # of brightness, contrast, saturation and hue
GREY = (0.2989, 0.587, 0.114)  # what red, green and blue count, as torchvision has it


def recoloring(source: Source, draws_B7: np.ndarray) -> np.ndarray:
    """How the colours of each image change, float32 [B, 6], of 7 draws each from [0, 1).

    Columns: the factors of brightness, contrast and saturation, the turn of the hue as a part of the circle, the row
    of ORDERS, and 1 for grey. With color_jitter (b, c, s, h) the factors are uniform in 1 - b (at least 0) to 1 + b and
    so on, the turn in -h to h; all four apply with color_jitter_prob, in random order, and grey comes last.
    """
    same_4, most_4 = np.array([1, 1, 1, 0]), np.array(source.color_jitter)
    low_4, high_4 = np.maximum(same_4 - most_4, [0, 0, 0, -1]), same_4 + most_4
    jitter_B4 = low_4 + (high_4 - low_4) * draws_B7[:, 1:5]
    jitter_B4 = np.where(draws_B7[:, :1] < source.color_jitter_prob, jitter_B4, same_4)
    order_B, grey_B = np.floor(len(ORDERS) * draws_B7[:, 5]), draws_B7[:, 6] < source.gray_scale_prob
    return np.column_stack([jitter_B4, order_B, grey_B]).astype(np.float32)


def recolored(pixels_BHW3: jax.Array, how_B6: jax.Array) -> jax.Array:
    """uint8 pixels with their colours changed as `recoloring` says.

    The formulas are those of torchvision.transforms.functional on float images; rounded once, at the end.
    """
    return jax.vmap(_recolored)(pixels_BHW3, how_B6)


def _recolored(pixels_HW3: jax.Array, how_6: jax.Array) -> jax.Array:
    brightness, contrast, saturation, hue, order, grey = how_6
    changes = [
        lambda x: _blend(x, 0.0, brightness),
        lambda x: _blend(x, _grey(x).mean(), contrast),
        lambda x: _blend(x, _grey(x), saturation),
        lambda x: jnp.where(hue == 0, x, _turned(x, hue)),
    ]
    image_HW3 = pixels_HW3.astype(jnp.float32) / 255
    for change in jnp.array(ORDERS)[order.astype(jnp.int32)]:  # a switch would compute all four, too, for many images
        changed = [each(image_HW3) for each in changes]
        image_HW3 = jnp.select([change == number for number in range(len(changes))], changed)
    image_HW3 = jnp.where(grey > 0, _grey(image_HW3), image_HW3)
    return jnp.round(255 * image_HW3).astype(jnp.uint8)


def _blend(image_HW3: jax.Array, other: jax.Array | float, share: jax.Array) -> jax.Array:
    return jnp.clip(share * image_HW3 + (1 - share) * other, 0, 1)


def _grey(image_HW3: jax.Array) -> jax.Array:
    return jnp.sum(image_HW3 * jnp.array(GREY), axis=-1, keepdims=True)


def _turned(image_HW3: jax.Array, turn: jax.Array) -> jax.Array:
    """With the hue of the HSV colour turned, -1 to 1 being once around."""
    red, green, blue = jnp.moveaxis(image_HW3, -1, 0)
    value = image_HW3.max(-1)
    chroma = value - image_HW3.min(-1)
    whole = jnp.where(chroma == 0, 1, chroma)
    hue_of_6 = jnp.select(
        [value == red, value == green], [(green - blue) / whole, 2 + (blue - red) / whole], 4 + (red - green) / whole
    )
    channel_HW3 = (jnp.array([5, 3, 1]) + hue_of_6[..., None] + 6 * turn) % 6
    return value[..., None] - chroma[..., None] * jnp.clip(jnp.minimum(channel_HW3, 4 - channel_HW3), 0, 1)
