"""The multiple-choice objective: pick the caption that is true of the image."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit


def mcq_loss(
    image_BE: jax.Array, option_BOE: jax.Array, answer_B: jax.Array, logit_scale: jax.Array
) -> tuple[jax.Array, dict]:
    """Cross-entropy over each question's O options, on cosines times the logit scale.

    image_BE: embeddings of any length; option_BOE: those of the options; answer_B: index of the right option.
    logit_scale: the factor on the cosines (not its logarithm). Returns the loss (natural logarithm) and
    {"accuracy": share answered rightly}. Source: NegBench (Alhamoud et al. 2025), section 4, L_MCQ; on cosines.
    """
    logits_BO = logit_scale * products(unit(image_BE)[:, None], unit(option_BOE))[:, 0]
    right_B = jnp.take_along_axis(logits_BO, answer_B[:, None], axis=1)[:, 0]
    loss = jnp.mean(jax.nn.logsumexp(logits_BO, axis=1) - right_B)
    return loss, {"accuracy": jnp.mean(right_B >= logits_BO.max(axis=1))}
