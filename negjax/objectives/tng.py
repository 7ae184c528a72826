"""TNG-CLIP's loss: a plain caption, a half negated and a wholly negated one of each image, all of them true of it."""

import jax
import jax.numpy as jnp

from negjax.objectives.contrastive import contrastive_losses
from negjax.objectives.cosine import unit
from negjax.objectives.objective import LossAndMetrics, LossForm, LossInputs, Objective

INVERSE_TEMPERATURE = 1 / 0.07  # of TNG-CLIP, whose temperature is fixed


def tng_loss(
    image_BE: jax.Array, text_KBE: jax.Array, *, scale: float = INVERSE_TEMPERATURE, form: LossForm = LossForm()
) -> LossAndMetrics:
    """Half the cross-entropy of each text among the images, and half of each image against noise among the texts.

    The two directions differ, because a caption that only denies is true of nearly all images: each text has its image
    to find among B. An image has no text to find among the K B: its target is one of them drawn at random, whose
    expected cross-entropy, that against the uniform distribution over all texts, is computed here without drawing.

    Source: Cai et al. 2025 (TNG-CLIP, arXiv 2505.18434) and the authors' code.

    Args:
        image_BE: embeddings of any length.
        text_KBE: embeddings of K texts of each image.
        scale: the factor on the cosines.
        form: how the losses over all pairs are computed, see `contrastive_losses`.

    Returns:
        the loss (natural logarithm) and {"accuracy": share of texts that rank their image first}.
    """
    to_image, first, sums = [], [], []
    image_BE, factor = unit(image_BE), jnp.float32(scale)
    for text_BE in text_KBE:
        to_text_B, to_image_B, first_B = contrastive_losses(image_BE, text_BE, factor, None, form)
        right_B = factor * jnp.sum(image_BE * unit(text_BE), axis=1)
        sums.append(to_text_B + right_B)  # log of the sum over the batch of exp(scale x cosine)
        to_image.append(to_image_B)
        first.append(first_B)
    mean_E = unit(text_KBE).mean(axis=(0, 1))
    mean_logit_B = factor * jnp.sum(image_BE * mean_E, axis=1)
    noise_B = jax.nn.logsumexp(jnp.stack(sums), axis=0) - mean_logit_B
    loss = 0.5 * (jnp.mean(jnp.stack(to_image)) + jnp.mean(noise_B))
    return loss, {"accuracy": jnp.mean(jnp.stack(first))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    texts = [inputs[name] for name in ("text", "hybrid_text", "denial_text")]
    return tng_loss(inputs["image"], jnp.stack(texts), form=inputs.form)


OBJECTIVE = Objective(
    meaning="TNG-CLIP's loss on an image, a caption of it, and two negated captions that are made in the batch",
    loss=_loss,
    inputs=("image", "text", "hybrid_text", "denial_text"),
)
