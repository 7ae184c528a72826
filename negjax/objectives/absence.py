"""Omni-NegCLIP's absence stage: captions that say truly what is absent, kept apart from the plain ones."""

import jax
import jax.numpy as jnp

from negjax.objectives.contrastive import contrastive_loss
from negjax.objectives.cosine import unit
from negjax.objectives.objective import LossAndMetrics, LossForm, LossInputs, Objective

MARGIN = 0.9  # of Omni-NegCLIP: the cosine from which on two captions are far enough apart is -MARGIN


def absence_loss(
    image_BE: jax.Array,
    text_BE: jax.Array,
    negated_text_BE: jax.Array,
    logit_scale: jax.Array,
    *,
    form: LossForm = LossForm(),
) -> LossAndMetrics:
    """CLIP's loss on images and negated captions + the mean of relu(cos(plain caption, negated caption) + .9).

    Both captions are true of the image, so the second term and the first pull against each other.

    Source: Omni-NegCLIP (arXiv 2603.29258), stage 2 without its plain contrastive loss (the objective `contrastive`).

    Args:
        image_BE: embeddings of any length.
        text_BE: embeddings of a plain caption of each image.
        negated_text_BE: embeddings of a caption of each image that also says what is absent.
        logit_scale: the factor on the cosines (not its logarithm).
        form: how the contrastive loss is computed.

    Returns:
        the loss (natural logarithm), {"accuracy"} as `contrastive_loss` has it and {"text_cosine"}, the mean cosine of
        the two captions.
    """
    loss, metrics = contrastive_loss(image_BE, negated_text_BE, logit_scale, mesh=form.mesh, chunk=form.chunk)
    cosine_B = jnp.sum(unit(text_BE) * unit(negated_text_BE), axis=1)
    return loss + jnp.mean(jax.nn.relu(cosine_B + MARGIN)), metrics | {"text_cosine": cosine_B.mean()}


def _loss(inputs: LossInputs) -> LossAndMetrics:
    return absence_loss(inputs["image"], inputs["text"], inputs["negated_text"], inputs.logit_scale, form=inputs.form)


OBJECTIVE = Objective(
    meaning="Omni-NegCLIP's loss on an image and one negated caption of it, which is kept apart from the plain caption",
    loss=_loss,
    inputs=("image", "text", "negated_text"),
)
