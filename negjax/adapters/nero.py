"""NeRo-CLIP: a residual of low rank on the embeddings of captions that deny something; all others stay as they are.

g(z) = z + tanh(z W_down) W_up for the embedding z before it is made a unit vector, with W_up = 0 at the start. Which
captions deny something is read by `negjax.language.splitter`, where the published model looks for eleven words.

Shapes: E embedding width, r rank, any axes before them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from negjax.adapters.adapter import AdapterKind, Tree, adapted_beside_text, beside_text
from negjax.config.adapter import NeRo
from negjax.errors import NegjaxError

_EXACT = jax.lax.Precision.HIGHEST


def new_adapter(params: Tree, nero: NeRo, seed: int) -> Tree:
    """The adapter before the first step, which changes nothing.

    Args:
        params: the parameters of the model, or their shapes.
        nero: the settings.
        seed: of the first matrix, drawn from N(0, 1 / E).

    Returns:
        {"text": {"nero": {"down": [E, r], "up": [r, E]}}}.

    Raises:
        NegjaxError: the rank is larger than the embedding.
    """
    width = embedding_width(params)
    if nero.rank > width:
        raise NegjaxError(f"config.nero.rank is {nero.rank}, more than embeddings have ({width}): choose a smaller one")
    down = jax.random.normal(jax.random.key(seed), (width, nero.rank), jnp.float32) / math.sqrt(width)
    return {"text": {"nero": {"down": down, "up": jnp.zeros((nero.rank, width), jnp.float32)}}}


def embedding_width(params: Tree) -> int:
    """E of a model: what its text tower ends with."""
    text = params["text"]
    for name in ("output", "projection"):
        if name in text:
            return text[name]["kernel"].shape[-1]
    return text["tokens"].shape[-1]


def repaired(adapter: Any, embedding: jax.Array, denies: jax.Array) -> jax.Array:
    """Embeddings after the adapter.

    Args:
        adapter: {"down": [E, r], "up": [r, E]}.
        embedding: [..., E], float32, not unit length.
        denies: bool [...], which of the captions deny something.
    """
    hidden = jnp.tanh(jnp.matmul(embedding, adapter["down"], precision=_EXACT))
    moved = embedding + jnp.matmul(hidden, adapter["up"], precision=_EXACT)
    return jnp.where(denies[..., None], moved, embedding)


ADAPTER = AdapterKind(
    settings=NeRo,
    new_adapter=new_adapter,
    adapt=beside_text("nero"),
    adapted=adapted_beside_text("nero", new_adapter),
    reads_denials=True,
)
