"""Text-grounded contrast: a caption stays with the teacher's embedding of it, and away from its wrong versions."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.options import options_of_rows, right_first

SCALE = 10.0  # on the cosines, of Hu et al.


def text_contrast_loss(option_BOE: jax.Array, teacher_BE: jax.Array) -> LossAndMetrics:
    """Cross-entropy of each right caption over [the teacher's embedding of it; its wrong captions], on 10 x cosines.

    Source: Hu et al. 2025 (DeGLA), text-grounded contrast. The authors' mask takes the rows of a batch in another order
    than their data has; this is the formula.

    Args:
        option_BOE: embeddings of any length of the options, the right one first.
        teacher_BE: the teacher's of the right ones, constants.

    Returns:
        the mean loss (natural logarithm) and {"accuracy": share of captions that are nearest to the teacher's}.
    """
    option_BOE, teacher_BE = unit(option_BOE), unit(jax.lax.stop_gradient(teacher_BE))
    column_BOE = jnp.concatenate([teacher_BE[:, None], option_BOE[:, 1:]], axis=1)
    logits_BO = SCALE * products(option_BOE[:, :1], column_BOE)[:, 0]
    loss = jnp.mean(jax.nn.logsumexp(logits_BO, axis=1) - logits_BO[:, 0])
    return loss, {"accuracy": jnp.mean(logits_BO[:, 0] >= logits_BO.max(axis=1))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    answer_B = inputs["answer"]
    own_BOE, teacher_BOE = (
        right_first(options_of_rows(inputs[name], len(answer_B)), answer_B) for name in ("options", "teacher_options")
    )
    return text_contrast_loss(own_BOE, teacher_BOE[:, 0])


OBJECTIVE = Objective(
    meaning="DeGLA's text-grounded contrast on the image's question: its right option is near the teacher's embedding "
    "of it and away from the wrong ones (see config.optim.teacher_ema)",
    loss=_loss,
    inputs=("options", "answer", "teacher_options"),
)
