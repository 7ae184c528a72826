"""CLIP's symmetric InfoNCE."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import unit


def contrastive_loss(image_BE: jax.Array, text_BE: jax.Array, logit_scale: jax.Array) -> tuple[jax.Array, dict]:
    """Mean over both directions of the cross-entropy of each item against the batch; row i of both belong together.

    image_BE, text_BE: embeddings of any length. logit_scale: the factor on the cosines (not its logarithm).
    Returns the loss (natural logarithm) and {"accuracy": share of captions that rank their image first}.
    Source: Radford et al. 2021, figure 3.
    """
    logits_BB = logit_scale * unit(image_BE) @ unit(text_BE).T
    right_B = jnp.diagonal(logits_BB)
    to_text = jax.nn.logsumexp(logits_BB, axis=1) - right_B
    to_image = jax.nn.logsumexp(logits_BB, axis=0) - right_B
    accuracy = jnp.mean(right_B >= logits_BB.max(axis=0))
    return 0.5 * (to_text.mean() + to_image.mean()), {"accuracy": accuracy}
