"""SigLIP's sigmoid loss."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import unit


def sigmoid_loss(
    image_BE: jax.Array, text_BE: jax.Array, logit_scale: jax.Array, logit_bias: jax.Array
) -> tuple[jax.Array, dict]:
    """Every pair of the batch as a yes-or-no question; row i of both belong together.

    image_BE, text_BE: embeddings of any length. logit_scale (a factor) and logit_bias are learned; SigLIP starts
    them at 10 and -10. Returns the sum over pairs divided by B (natural logarithm), and {"accuracy"} as InfoNCE does.
    Source: Zhai et al. 2023, algorithm 1.
    """
    logits_BB = logit_scale * unit(image_BE) @ unit(text_BE).T + logit_bias
    sign_BB = 2 * jnp.eye(len(logits_BB)) - 1
    loss = -jnp.sum(jax.nn.log_sigmoid(sign_BB * logits_BB)) / len(logits_BB)
    accuracy = jnp.mean(jnp.diagonal(logits_BB) >= logits_BB.max(axis=0))
    return loss, {"accuracy": accuracy}
