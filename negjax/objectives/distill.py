"""Feature distillation: keeps embeddings close to those of a teacher."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import unit
from negjax.objectives.objective import LossAndMetrics, LossInputs, Objective


def distill_loss(
    image_BE: jax.Array, text_BE: jax.Array, teacher_image_BE: jax.Array, teacher_text_BE: jax.Array
) -> LossAndMetrics:
    """Mean over the batch of |v - v'|^2 + |t - t'|^2, of image and caption at length 1 and the teacher's of the same.

    A squared distance is 2 - 2 cos. Of the losses of CLIP-KD this one best preserves a model of the same
    architecture: it fixes every embedding, so that images and captions which the teacher distinguishes remain distinct,
    and it does not depend on the rest of the batch or its size. (CRD only keeps similarities within the batch, and ICL
    trains on the teacher's pairs.)

    Source: Yang et al. 2024 (CLIP-KD), section 3.2, L_FD.

    Args:
        image_BE: the student's embeddings of the images, of any length.
        text_BE: the student's embeddings of the captions, of any length.
        teacher_image_BE: the teacher's of the images, constants.
        teacher_text_BE: the teacher's of the captions, constants.

    Returns:
        the loss and {"image_cosine", "text_cosine"}: the mean cosines between student and teacher.
    """
    pairs = {"image": (image_BE, teacher_image_BE), "text": (text_BE, teacher_text_BE)}
    loss, cosines = jnp.zeros(()), {}
    for name, (student_BE, teacher_BE) in pairs.items():
        student_BE, teacher_BE = unit(student_BE), unit(jax.lax.stop_gradient(teacher_BE))
        loss += jnp.mean(jnp.sum(jnp.square(student_BE - teacher_BE), axis=-1))
        cosines[f"{name}_cosine"] = jnp.mean(jnp.sum(student_BE * teacher_BE, axis=-1))
    return loss, cosines


def _loss(inputs: LossInputs) -> LossAndMetrics:
    return distill_loss(inputs["image"], inputs["text"], inputs["teacher_image"], inputs["teacher_text"])


OBJECTIVE = Objective(
    meaning="the distillation loss, which keeps the embeddings of image and caption where the start, model.init_from, "
    "had them, or the teacher of config.optim.teacher_ema has them; for affirmative captions, against forgetting "
    "(those of negated captions have to move)",
    loss=_loss,
    inputs=("image", "text", "teacher_image", "teacher_text"),
)
