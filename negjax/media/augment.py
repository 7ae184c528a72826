"""Colour augmentation on the device: torchvision's ColorJitter and open_clip's random grey.

The host draws seven numbers for each image (`jitter_params`), and the training step computes the rest
(`apply_color_jitter`), a few hundred operations a pixel, far less than a tower takes. Shapes: B batch, H and W the
image's sides.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np

from negjax.config import Source

JITTER_ORDERS = np.array(list(permutations(range(4))))  # of brightness, contrast, saturation and hue
LUMA_WEIGHTS = (0.2989, 0.587, 0.114)  # torchvision's, of red, green and blue


def jitter_params(source: Source, draws_B7: np.ndarray) -> np.ndarray:
    """Turns uniform draws into the parameters of the colour augmentation.

    With color_jitter (b, c, s, h) the factors are uniform in [max(0, 1 - b), 1 + b] and so on, the rotation of the hue
    in [-h, h]; all four are applied with probability color_jitter_prob, in random order. Grey comes last.

    Args:
        source: the config of a data source, of which color_jitter, color_jitter_prob and gray_scale_prob count.
        draws_B7: from [0, 1): whether to jitter, four strengths, the order, whether to turn grey.

    Returns:
        float32 [B, 6]: the factors of brightness, contrast and saturation; the rotation of the hue, 1 being a full
        turn; the row of JITTER_ORDERS; 1 for grey.
    """
    identity_4, strength_4 = np.array([1, 1, 1, 0]), np.array(source.color_jitter)
    low_4, high_4 = np.maximum(identity_4 - strength_4, [0, 0, 0, -1]), identity_4 + strength_4
    jitter_B4 = low_4 + (high_4 - low_4) * draws_B7[:, 1:5]
    jitter_B4 = np.where(draws_B7[:, :1] < source.color_jitter_prob, jitter_B4, identity_4)
    order_B, grey_B = np.floor(len(JITTER_ORDERS) * draws_B7[:, 5]), draws_B7[:, 6] < source.gray_scale_prob
    return np.column_stack([jitter_B4, order_B, grey_B]).astype(np.float32)


def apply_color_jitter(pixels_BHW3: jax.Array, params_B6: jax.Array) -> jax.Array:
    """Changes the colours of images.

    The formulas are those of torchvision.transforms.functional on float images; values are rounded once, at the end.

    Args:
        pixels_BHW3: uint8.
        params_B6: as `jitter_params` returns.

    Returns:
        uint8 [B, H, W, 3].
    """
    return jax.vmap(_jitter_image)(pixels_BHW3, params_B6)


def _jitter_image(pixels_HW3: jax.Array, params_6: jax.Array) -> jax.Array:
    brightness, contrast, saturation, hue, order, grey = params_6
    transforms = [
        lambda image: _blend(image, 0.0, brightness),
        lambda image: _blend(image, _to_grey(image).mean(), contrast),
        lambda image: _blend(image, _to_grey(image), saturation),
        lambda image: jnp.where(hue == 0, image, _rotate_hue(image, hue)),
    ]
    image_HW3 = pixels_HW3.astype(jnp.float32) / 255
    # Computes all four transforms and selects; under vmap a switch would compute all four too.
    for index in jnp.array(JITTER_ORDERS)[order.astype(jnp.int32)]:
        results = [transform(image_HW3) for transform in transforms]
        image_HW3 = jnp.select([index == i for i in range(len(transforms))], results)
    image_HW3 = jnp.where(grey > 0, _to_grey(image_HW3), image_HW3)
    return jnp.round(255 * image_HW3).astype(jnp.uint8)


def _blend(image_HW3: jax.Array, other: jax.Array | float, factor: jax.Array) -> jax.Array:
    return jnp.clip(factor * image_HW3 + (1 - factor) * other, 0, 1)


def _to_grey(image_HW3: jax.Array) -> jax.Array:
    """[H, W, 1]."""
    return jnp.sum(image_HW3 * jnp.array(LUMA_WEIGHTS), axis=-1, keepdims=True)


def _rotate_hue(image_HW3: jax.Array, turn: jax.Array) -> jax.Array:
    """Rotates the hue of the HSV colour, by `turn` full turns."""
    red, green, blue = jnp.moveaxis(image_HW3, -1, 0)
    value = image_HW3.max(-1)
    chroma = value - image_HW3.min(-1)
    divisor = jnp.where(chroma == 0, 1, chroma)
    hue_in_sixths = jnp.select(
        [value == red, value == green],
        [(green - blue) / divisor, 2 + (blue - red) / divisor],
        4 + (red - green) / divisor,
    )
    channel_HW3 = (jnp.array([5, 3, 1]) + hue_in_sixths[..., None] + 6 * turn) % 6
    return value[..., None] - chroma[..., None] * jnp.clip(jnp.minimum(channel_HW3, 4 - channel_HW3), 0, 1)
