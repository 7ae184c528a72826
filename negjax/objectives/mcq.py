"""The multiple-choice objective: pick the caption that is true of the image."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.options import options_of_rows


def mcq_loss(image_BE: jax.Array, option_BOE: jax.Array, answer_B: jax.Array, logit_scale: jax.Array) -> LossAndMetrics:
    """Cross-entropy over each question's O options, on cosines times the logit scale.

    Source: NegBench (Alhamoud et al. 2025), section 4, L_MCQ; on cosines.

    Args:
        image_BE: embeddings of any length.
        option_BOE: embeddings of the options.
        answer_B: index of the right option.
        logit_scale: the factor on the cosines (not its logarithm).

    Returns:
        the mean loss (natural logarithm) and {"accuracy": share of questions answered rightly}.
    """
    logits_BO = logit_scale * products(unit(image_BE)[:, None], unit(option_BOE))[:, 0]
    right_B = jnp.take_along_axis(logits_BO, answer_B[:, None], axis=1)[:, 0]
    loss = jnp.mean(jax.nn.logsumexp(logits_BO, axis=1) - right_B)
    return loss, {"accuracy": jnp.mean(right_B >= logits_BO.max(axis=1))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    image_BE = inputs["image"]
    return mcq_loss(image_BE, options_of_rows(inputs["options"], len(image_BE)), inputs["answer"], inputs.logit_scale)


OBJECTIVE = Objective(
    meaning="the loss on the image's multiple-choice question",
    loss=_loss,
    inputs=("image", "options", "answer"),
)
