"""PeakPatch's text repair: a small network reads states inside the frozen text tower and corrects the embedding.

For the embedding t, and states h_l of the tokens after block l under the tower's final norm:
    m = LayerNorm(attention of one learned query over h_8 of the caption's tokens)
    x = h_8 at the end token, m, h_6 at the end token, the mean of h_8 over the caption's tokens, one after the other
    d = Linear(GELU(LayerNorm(Linear(GELU(LayerNorm(Linear(x)))))))
    t' = t + alpha |t| d
Blocks 8 and 6 are those of a tower with 12, at two thirds and a half of the depth in general. Source: arXiv 2607.23271,
the error correction network. Left out: its dropout, for which a step would draw numbers besides its batch, and the
second network, which corrects scores of pairs: with it a caption would have no embedding.

Shapes: R rows, K captions of one, T tokens, D width of the tower, H heads, C width of a head, E embedding width.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from negjax.adapters.adapter import AdapterKind, Tree, adapted_beside_text, beside_text
from negjax.adapters.nero import embedding_width
from negjax.config.adapter import PeakPatch

FIRST_ALPHA, LAST_DEVIATION, QUERY_DEVIATION, NORM_EPS = 0.5, 1e-3, 0.02, 1e-5
_EXACT = jax.lax.Precision.HIGHEST


def tapped_blocks(depth: int) -> tuple[int, int]:
    """After how many blocks states are read, of a tower with so many: (8, 6) of 12. Never after the last."""
    return depth * 2 // 3, depth // 2


def new_adapter(params: Tree, peakpatch: PeakPatch, seed: int) -> Tree:
    """The adapter before the first step, whose corrections are small.

    Args:
        params: the parameters of the model, or their shapes.
        peakpatch: the settings.
        seed: of its matrices. Biases are 0, and d is drawn as the published model draws it.

    Returns:
        {"text": {"peakpatch": {"query": [D], "attention": {"kernel": [D, 3, D], ...}, "log_alpha": [], ...}}}.
    """
    width, hidden, embedding = params["text"]["norm_final"]["scale"].shape[0], peakpatch.width, embedding_width(params)
    keys = iter(jax.random.split(jax.random.key(seed), 6))

    def normal(deviation: float, *shape: int) -> jax.Array:
        return deviation * jax.random.normal(next(keys), shape, jnp.float32)

    def linear(deviation: float, *shape: int) -> Tree:
        return {"kernel": normal(deviation, *shape), "bias": jnp.zeros(shape[1:], jnp.float32)}

    def norm(size: int) -> Tree:
        return {"scale": jnp.ones(size, jnp.float32), "bias": jnp.zeros(size, jnp.float32)}

    adapter = {
        "query": normal(QUERY_DEVIATION, width),
        "attention": linear(width**-0.5, width, 3, width),
        "attended": linear(width**-0.5, width, width),
        "norm_attended": norm(width),
        "first": linear((4 * width) ** -0.5, 4 * width, hidden),
        "norm_first": norm(hidden),
        "second": linear(hidden**-0.5, hidden, hidden),
        "norm_second": norm(hidden),
        "last": linear(LAST_DEVIATION, hidden, embedding),
        "log_alpha": jnp.float32(math.log(FIRST_ALPHA)),
    }
    return {"text": {"peakpatch": adapter}}


def repaired(
    adapter: Any,
    embedding_RKE: jax.Array,
    states_RTD: tuple[jax.Array, ...],
    is_own_RKT: jax.Array,
    end_RK: jax.Array,
    heads: int,
    gelu: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """Embeddings after the adapter.

    Args:
        adapter: the node "peakpatch" of `new_adapter`.
        embedding_RKE: float32, not unit length.
        states_RTD: of all tokens after the blocks of `tapped_blocks`, under the final norm.
        is_own_RKT: which tokens are a caption's, up to its end token.
        end_RK: the end token of each.
        heads: H; D must be a multiple.
        gelu: the exact GELU, of the room of models.

    Returns:
        [R, K, E].
    """
    upper_RTD, lower_RTD = (x.astype(jnp.float32) for x in states_RTD)
    upper_RKD, lower_RKD = (jnp.take_along_axis(x, end_RK[:, :, None], axis=1) for x in (upper_RTD, lower_RTD))
    summary_RKD = _normed(adapter["norm_attended"], _attended(adapter, upper_RTD, is_own_RKT, heads))
    share_RKT = is_own_RKT / is_own_RKT.sum(axis=2, keepdims=True)
    mean_RKD = jnp.einsum("rkt,rtd->rkd", share_RKT, upper_RTD, precision=_EXACT)
    x = jnp.concatenate([upper_RKD, summary_RKD, lower_RKD, mean_RKD], axis=2)
    for name in ("first", "second"):
        x = gelu(_normed(adapter[f"norm_{name}"], _linear(adapter[name], x)))
    length_RK1 = jnp.linalg.norm(embedding_RKE, axis=2, keepdims=True)
    return embedding_RKE + jnp.exp(adapter["log_alpha"]) * length_RK1 * _linear(adapter["last"], x)


def _attended(adapter: Any, state_RTD: jax.Array, is_own_RKT: jax.Array, heads: int) -> jax.Array:
    """What the learned query attends to among each caption's tokens [R, K, D], by heads."""
    kernel_D3D, bias_3D = adapter["attention"]["kernel"], adapter["attention"]["bias"]
    query_HC = (jnp.matmul(adapter["query"], kernel_D3D[:, 0], precision=_EXACT) + bias_3D[0]).reshape(heads, -1)
    key_RTHC, value_RTHC = (
        (jnp.matmul(state_RTD, kernel_D3D[:, part], precision=_EXACT) + bias_3D[part]).reshape(
            *state_RTD.shape[:2], heads, -1
        )
        for part in (1, 2)
    )
    logit_RHT = jnp.einsum("rthc,hc->rht", key_RTHC, query_HC, precision=_EXACT) / math.sqrt(query_HC.shape[1])
    logit_RKHT = jnp.where(is_own_RKT[:, :, None], logit_RHT[:, None], -jnp.inf)
    x = jnp.einsum("rkht,rthc->rkhc", jax.nn.softmax(logit_RKHT), value_RTHC, precision=_EXACT)
    return _linear(adapter["attended"], x.reshape(*x.shape[:2], -1))


def _linear(layer: Any, x: jax.Array) -> jax.Array:
    return jnp.matmul(x, layer["kernel"], precision=_EXACT) + layer["bias"]


def _normed(layer: Any, x: jax.Array) -> jax.Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + NORM_EPS)
    return centred / deviation * layer["scale"] + layer["bias"]


ADAPTER = AdapterKind(
    settings=PeakPatch,
    new_adapter=new_adapter,
    adapt=beside_text("peakpatch"),
    adapted=adapted_beside_text("peakpatch", new_adapter),
)
