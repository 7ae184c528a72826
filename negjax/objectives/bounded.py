"""Bounded negative learning: a wrong caption is further away than the right one, but not by much."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.options import options_of_rows, right_first

LOWER, UPPER_TO_IMAGE, UPPER_TO_TEXT = 0.1, 0.6, 0.3  # margins of Wang et al.


def bounded_loss(image_BE: jax.Array, option_BOE: jax.Array) -> LossAndMetrics:
    """Hinges on both sides of the distance between right and wrong, from the image and from the right caption.

    With s the cosine, T the right caption, T' a wrong one and V the image, a constant here:
    relu(.1 + s(T', V) - s(T, V)) + relu(s(T, V) - s(T', V) - .6), and
    relu(.1 + s(T', T) - s(T, V)) + relu(s(T, V) - s(T', T) - .3), as means over wrong captions and images.
    The upper margins keep a caption that is wrong in one clause near what the others say.

    Source: Wang et al. 2022 (nT2VR) and the authors' code, which adds up where this takes means.

    Args:
        image_BE: embeddings of any length; they get no gradient.
        option_BOE: embeddings of the options, the right one first.

    Returns:
        the loss and {"between": share of wrong captions within both margins to the image}.
    """
    image_BE, option_BOE = unit(jax.lax.stop_gradient(image_BE)), unit(option_BOE)
    to_image_BO = products(image_BE[:, None], option_BOE)[:, 0]
    right_B1, wrong_BN = to_image_BO[:, :1], to_image_BO[:, 1:]
    to_text_BN = products(option_BOE[:, :1], option_BOE[:, 1:])[:, 0]
    gap_BN, text_gap_BN = right_B1 - wrong_BN, right_B1 - to_text_BN
    loss = _outside(gap_BN, LOWER, UPPER_TO_IMAGE) + _outside(text_gap_BN, LOWER, UPPER_TO_TEXT)
    return jnp.mean(loss), {"between": jnp.mean((gap_BN >= LOWER) & (gap_BN <= UPPER_TO_IMAGE))}


def _outside(gap: jax.Array, lower: float, upper: float) -> jax.Array:
    """How far outside of its bounds a gap is."""
    return jax.nn.relu(lower - gap) + jax.nn.relu(gap - upper)


def _loss(inputs: LossInputs) -> LossAndMetrics:
    image_BE = inputs["image"]
    return bounded_loss(image_BE, right_first(options_of_rows(inputs["options"], len(image_BE)), inputs["answer"]))


OBJECTIVE = Objective(
    meaning="nT2VR's bounded loss on the image's question, which pushes wrong captions away up to a margin; it trains "
    "the text tower alone",
    loss=_loss,
    inputs=("image", "options", "answer"),
)
