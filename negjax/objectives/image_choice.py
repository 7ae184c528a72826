"""The image-side counterpart of the multiple-choice objective: pick the image of which a caption is true."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective


def image_choice_loss(
    image_BE: jax.Array, option_GOE: jax.Array, answer_B: jax.Array, logit_scale: jax.Array
) -> LossAndMetrics:
    """Cross-entropy of each row's right option over the images of its group, on cosines times the logit scale.

    The R = B / G rows of a group share O options, as the four cells of a truth table do: "A but no B" is true of one of
    its images and false of the others, which makes these its hard negatives. Images with the same answer as the row are
    no negatives of it and are left out.

    Args:
        image_BE: embeddings of any length, the rows of a group one after the other.
        option_GOE: embeddings of the options of each group.
        answer_B: index of the right option of each row.
        logit_scale: the factor on the cosines (not its logarithm).

    Returns:
        the mean loss (natural logarithm) and {"accuracy": share of rows whose image scores highest with their option}.
    """
    groups = len(option_GOE)
    image_GRE, answer_GR = image_BE.reshape(groups, -1, image_BE.shape[-1]), answer_B.reshape(groups, -1)
    right_GRE = jnp.take_along_axis(unit(option_GOE), answer_GR[:, :, None], axis=1)
    logits_GRR = logit_scale * products(right_GRE, unit(image_GRE))
    rows = answer_GR.shape[1]
    is_other_GRR = (answer_GR[:, :, None] == answer_GR[:, None, :]) & ~jnp.eye(rows, dtype=bool)
    logits_GRR = jnp.where(is_other_GRR, -jnp.inf, logits_GRR)
    own_GR = jnp.diagonal(logits_GRR, axis1=1, axis2=2)
    loss = jnp.mean(jax.nn.logsumexp(logits_GRR, axis=2) - own_GR)
    return loss, {"accuracy": jnp.mean(own_GR >= logits_GRR.max(axis=2))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    return image_choice_loss(inputs["image"], inputs["options"], inputs["answer"], inputs.logit_scale)


OBJECTIVE = Objective(
    meaning="the loss of picking the image for the right option, among the images of the question's group",
    loss=_loss,
    inputs=("image", "options", "answer"),
    needs_groups=True,
)
