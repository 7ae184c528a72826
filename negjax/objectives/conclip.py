"""CoN-CLIP's loss: wrong captions among the captions, and the images that they are true of among the images."""

import jax
import jax.numpy as jnp

from negjax.objectives.contrastive import contrastive_losses
from negjax.objectives.objective import LossAndMetrics, LossForm, LossInputs, Objective
from negjax.objectives.options import options_of_rows, right_first


def conclip_loss(
    image_BE: jax.Array, text_BE: jax.Array, logit_scale: jax.Array, *, form: LossForm = LossForm()
) -> LossAndMetrics:
    """Mean of three cross-entropies: I -> [T; T'], T -> [I; I'] and I' -> [T'; T].

    I are the images at even rows and T their captions; the row after an image holds its distractor I' and the caption
    T' that is wrong for I and right for I'. With no distractor among the images a caption that denies would be wrong
    wherever it occurs, which is learnt without looking.

    Source: Singh et al. 2024 (CoN-CLIP) and the authors' code.

    Args:
        image_BE: embeddings of any length, I and I' in turns.
        text_BE: embeddings of their captions, T and T' in turns.
        logit_scale: the factor on the cosines (not its logarithm).
        form: how the losses are computed, see `contrastive_loss`.

    Returns:
        the loss (natural logarithm) and {"accuracy"} as `contrastive_loss` has it.
    """
    to_text_B, to_image_B, first_B = contrastive_losses(image_BE, text_BE, logit_scale, None, form)
    of_captions = jnp.mean(to_image_B.reshape(-1, 2)[:, 0])
    return (2 * jnp.mean(to_text_B) + of_captions) / 3, {"accuracy": first_B.mean()}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    image_BE, answer_B = inputs["image"], inputs["answer"]
    right_BE = right_first(options_of_rows(inputs["options"], len(image_BE)), answer_B)[:, 0]
    return conclip_loss(image_BE, right_BE, inputs.logit_scale, form=inputs.form)


OBJECTIVE = Objective(
    meaning="CoN-CLIP's loss on images whose rows share their options: the right caption of one is the wrong caption "
    "of the other, and each image is the other's distractor",
    loss=_loss,
    inputs=("image", "options", "answer"),
    needs_groups=True,
)
