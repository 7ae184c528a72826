"""FSC-CLIP's global loss: an image's right caption among its own wrong ones, focal and smoothed."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import products, unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective
from negjax.objectives.options import options_of_rows, right_first

GAMMA, SMOOTHING = 2.0, 0.02  # of Oh et al.


def focal_loss(
    image_BE: jax.Array,
    option_BOE: jax.Array,
    logit_scale: jax.Array,
    *,
    gamma: float = GAMMA,
    smoothing: float = SMOOTHING,
) -> LossAndMetrics:
    """Mean over images of -sum_j y_j (1 - p_j)^gamma log p_j, p the softmax over the image's own options.

    y is 1 - smoothing for the right option, and smoothing / (O - 1) for each wrong one: an option that is already
    told apart adds little, and one that is wrong in a word is not pushed away without end.

    Source: Oh et al. 2024 (FSC-CLIP), global half of the loss; gamma 0 and smoothing 0 give the multiple-choice loss.

    Args:
        image_BE: embeddings of any length.
        option_BOE: embeddings of the options, the right one first.
        logit_scale: the factor on the cosines (not its logarithm).
        gamma: how little an option counts whose probability is high.
        smoothing: the share of the target that the wrong options have.

    Returns:
        the loss (natural logarithm) and {"accuracy": share of images whose right option is best}.
    """
    logits_BO = logit_scale * products(unit(image_BE)[:, None], unit(option_BOE))[:, 0]
    log_p_BO = jax.nn.log_softmax(logits_BO)
    wrong = logits_BO.shape[1] - 1
    target_O = jnp.full(wrong + 1, smoothing / wrong).at[0].set(1 - smoothing)
    # 1 - p without cancellation, and with a finite gradient where p is 1.
    factor_BO = jnp.maximum(-jnp.expm1(log_p_BO), 0.0) ** gamma
    loss = -jnp.mean(jnp.sum(target_O * factor_BO * log_p_BO, axis=1))
    return loss, {"accuracy": jnp.mean(logits_BO[:, 0] >= logits_BO.max(axis=1))}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    image_BE = inputs["image"]
    option_BOE = right_first(options_of_rows(inputs["options"], len(image_BE)), inputs["answer"])
    return focal_loss(image_BE, option_BOE, inputs.logit_scale)


OBJECTIVE = Objective(
    meaning=f"FSC-CLIP's loss on the image's question, focal (gamma {GAMMA:g}) and with smoothed labels ({SMOOTHING})",
    loss=_loss,
    inputs=("image", "options", "answer"),
)
