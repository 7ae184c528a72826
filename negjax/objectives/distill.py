"""Feature distillation: embeddings stay where a teacher has them."""

import jax
import jax.numpy as jnp

from negjax.objectives.cosine import unit


def distill_loss(
    image_BE: jax.Array, text_BE: jax.Array, teacher_image_BE: jax.Array, teacher_text_BE: jax.Array
) -> tuple[jax.Array, dict]:
    """Mean over the batch of |v - v'|^2 + |t - t'|^2, of image and caption at length 1 and the teacher's of the same.

    image_BE, text_BE, teacher_image_BE, teacher_text_BE: embeddings of any length; the teacher's are constants. A
    squared distance is 2 - 2 cos. Returns the loss and {"image_cosine", "text_cosine": means of these cosines}.

    Of the losses of CLIP-KD this is the one that keeps what a model of the same form knew: it holds every embedding
    itself in place, so whatever was told apart still is, and no loss looks at the rest of the batch, whose size it
    therefore doesn't depend on. (CRD keeps similarities within the batch alone, and ICL trains on the teacher's pairs.)

    Source: Yang et al. 2024 (CLIP-KD), section 3.2, L_FD.
    """
    pairs = {"image": (image_BE, teacher_image_BE), "text": (text_BE, teacher_text_BE)}
    loss, cosines = jnp.zeros(()), {}
    for name, (own_BE, teacher_BE) in pairs.items():
        own_BE, teacher_BE = unit(own_BE), unit(jax.lax.stop_gradient(teacher_BE))
        loss += jnp.mean(jnp.sum(jnp.square(own_BE - teacher_BE), axis=-1))
        cosines[f"{name}_cosine"] = jnp.mean(jnp.sum(own_BE * teacher_BE, axis=-1))
    return loss, cosines
