"""The multiple-choice objective of models for SigLIP's loss: each option is a yes-or-no question, with the bias."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.options import options_of_rows


def sigmoid_mcq_loss(
    image_BE: jax.Array, option_BOE: jax.Array, answer_B: jax.Array, logit_scale: jax.Array, logit_bias: jax.Array
) -> LossAndMetrics:
    """Sum over an image's options of -log sigmoid(z) for the right one and -log sigmoid(-z) for the wrong ones.

    z is logit scale x cosine + logit bias: SigLIP's loss (Zhai et al. 2023, algorithm 1) on an image's own options. The
    softmax of `mcq` would not see the bias.

    Args:
        image_BE: embeddings of any length.
        option_BOE: embeddings of the options.
        answer_B: index of the right option.
        logit_scale: the learned factor on the cosines (not its logarithm).
        logit_bias: learned and added to the logits.

    Returns:
        the mean over images (natural logarithm) and {"accuracy": share of questions answered rightly}.
    """
    logits_BO = logit_scale * products(unit(image_BE)[:, None], unit(option_BOE))[:, 0] + logit_bias
    right_BO = jnp.arange(logits_BO.shape[1]) == answer_B[:, None]
    loss = -jnp.mean(jnp.sum(jax.nn.log_sigmoid(jnp.where(right_BO, logits_BO, -logits_BO)), axis=1))
    right_B = jnp.sum(logits_BO, axis=1, where=right_BO)
    return loss, {"accuracy": jnp.mean(right_B >= logits_BO.max(axis=1))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    assert inputs.logit_bias is not None  # checked before the run: needs_logit_bias
    image_BE = inputs["image"]
    option_BOE = options_of_rows(inputs["options"], len(image_BE))
    return sigmoid_mcq_loss(image_BE, option_BOE, inputs["answer"], inputs.logit_scale, inputs.logit_bias)


OBJECTIVE = Objective(
    meaning="the sigmoid loss on the image's multiple-choice question, with the logit bias of SigLIP's models",
    loss=_loss,
    inputs=("image", "options", "answer"),
    needs_logit_bias=True,
)
