"""The options of questions beside their images: the right one first, for every objective that compares them."""

import jax
import jax.numpy as jnp


def options_of_rows(option_GOE: jax.Array, rows: int) -> jax.Array:
    """The options of each row [B, O, E], of which consecutive rows share those of their group. rows: B."""
    return jnp.repeat(option_GOE, rows // len(option_GOE), axis=0)


def right_first(option_BOE: jax.Array, answer_B: jax.Array) -> jax.Array:
    """The same options with the right one of each row first, and the wrong ones after it in their order."""
    number_O = jnp.arange(option_BOE.shape[1])
    number_BO = jnp.where(number_O == 0, answer_B[:, None], number_O - (number_O <= answer_B[:, None]))
    return jnp.take_along_axis(option_BOE, number_BO[:, :, None], axis=1)
