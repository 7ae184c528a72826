"""Runs the adapters that change the embeddings of texts: nodes of the parameters beside the text tower's own.

Shapes: B texts, T tokens, R packed rows, K slots of one, E embedding width.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from negjax.adapters import nero, peakpatch
from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.models.elementwise import activate
from negjax.models.packing import PackedTexts, can_pack, caption_starts
from negjax.models.text import TextTower
from negjax.models.text_encoder import TextEncoder
from negjax.tokenizers.routed import unmarked

if TYPE_CHECKING:
    from negjax.models.loaded import LoadedModel

TEXT_ADAPTERS = ("nero", "peakpatch")


def adapter_name(params: dict[str, Any]) -> str:
    """The adapter beside the text tower's parameters, a name of TEXT_ADAPTERS; empty for none."""
    return next((name for name in TEXT_ADAPTERS if name in params["text"]), "")


def unadapted(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters, or another tree like them, without the adapter."""
    text = {name: part for name, part in params["text"].items() if name not in TEXT_ADAPTERS}
    return params | {"text": text}


def check_unadapted(model: "LoadedModel", use: str) -> None:
    """Raises NegjaxError if a model has an adapter beside its text tower, which has no place in `use`."""
    if name := adapter_name(model.params):
        raise NegjaxError(
            f"{model.info.get('source', 'the model')} has the adapter {name}, which computes beside the text tower and "
            f"cannot be part of {use}: use its workdir with negjax, or take its base (config.model.init_from)"
        )


def check_tower(name: str, config: CLIPConfig) -> None:
    """Raises NegjaxError if an adapter of `negjax.adapters.table` does not suit the text tower."""
    if name == "peakpatch" and not can_pack(config.text):
        raise NegjaxError(
            f"config.peakpatch reads CLIP's causal text tower up to the end token, and {config.name} has another: use "
            "config.lora or config.nero"
        )


def encode_text(tower: TextTower | TextEncoder, params: dict[str, Any], text_BT: jax.Array) -> jax.Array:
    """The embeddings [B, E] of token ids, which are marked where the adapter reads denials.

    Args:
        tower: the text tower.
        params: its parameters, with the adapter's if there is one.
        text_BT: token ids.
    """
    if "nero" in params:
        return nero.repaired(params["nero"], tower(unmarked(text_BT)), text_BT[:, 0] < 0)
    if "peakpatch" in params:
        assert isinstance(tower, TextTower)
        end = tower.pooled_token(text_BT)
        return _patched(tower, params["peakpatch"], PackedTexts(text_BT, jnp.asarray(end)))[:, 0]
    return tower(text_BT)


def encode_packed(tower: TextTower, params: dict[str, Any], texts: PackedTexts) -> jax.Array:
    """As `encode_text`, of texts that share rows: [R, K, E]."""
    if "nero" in params:
        token_RT, end_RK = jnp.asarray(texts.token_RT), jnp.asarray(texts.end_RK)
        denies_RK = jnp.take_along_axis(token_RT, _first_tokens(texts), axis=1) < 0
        return nero.repaired(params["nero"], tower.encode_packed(PackedTexts(unmarked(token_RT), end_RK)), denies_RK)
    if "peakpatch" in params:
        return _patched(tower, params["peakpatch"], texts)
    return tower.encode_packed(texts)


def _patched(tower: TextTower, adapter: Any, texts: PackedTexts) -> jax.Array:
    """The embeddings [R, K, E] of packed texts; a row may hold one."""
    embedding_RKE, states_RTD = tower.encode_tapped(texts, peakpatch.tapped_blocks(tower.config.depth))
    end_RK, token_T = jnp.asarray(texts.end_RK), jnp.arange(texts.token_RT.shape[1])
    is_own_RKT = (token_T >= _first_tokens(texts)[:, :, None]) & (token_T <= end_RK[:, :, None])
    heads = tower.config.heads
    gelu = partial(activate, activation="gelu")
    return peakpatch.repaired(adapter, embedding_RKE, states_RTD, is_own_RKT, end_RK, heads, gelu)


def _first_tokens(texts: PackedTexts) -> jax.Array:
    """The first token of the caption in each slot [R, K]; a token of its row in slots that are not used."""
    end_RK = jnp.asarray(texts.end_RK)
    start_RT = caption_starts(end_RK, texts.token_RT.shape[1])
    return jnp.minimum(jnp.take_along_axis(start_RT, end_RK, axis=1), texts.token_RT.shape[1] - 1)
