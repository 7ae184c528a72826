"""CLIP: two towers and a logit scale, as a module and as pure functions of (config, params).

The parameters are a plain nested dict of float32 arrays. Modules exist only inside the functions below.
"""

import hashlib
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from negjax.models import text_adapters
from negjax.models.architecture import CLIPConfig, TextEncoderConfig, VisionConfig
from negjax.models.compute import Compute
from negjax.models.convnets import ConvNeXtConfig, ResNetConfig
from negjax.models.convnext import ConvNeXt
from negjax.models.packing import PackedTexts
from negjax.models.resnet import ResNet
from negjax.models.text import TextTower
from negjax.models.text_encoder import TextEncoder
from negjax.models.vision import VisionTower

Params = dict[str, Any]
_IMAGE_TOWERS: dict[type, Any] = {VisionConfig: VisionTower, ResNetConfig: ResNet, ConvNeXtConfig: ConvNeXt}


class CLIP(nnx.Module):
    """The two towers, the logarithm of the logit scale, and the logit bias of a model for SigLIP's loss."""

    def __init__(self, config: CLIPConfig, compute: Compute):
        self.visual = _IMAGE_TOWERS[type(config.vision)](config.vision, config.embed_dim, compute)
        self.text: TextTower | TextEncoder
        if isinstance(config.text, TextEncoderConfig):
            self.text = TextEncoder(config.text, config.embed_dim, compute)
        else:
            self.text = TextTower(config.text, config.embed_dim, compute)
        self.logit_scale = nnx.Param(jnp.zeros(()))
        if config.logit_bias_init is not None:
            self.logit_bias = nnx.Param(jnp.zeros(()))


@lru_cache(maxsize=64)
def _abstract(config: CLIPConfig, compute: Compute) -> tuple[nnx.GraphDef, nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: CLIP(config, compute)))


def abstract_params(config: CLIPConfig) -> Params:
    """The tree of parameters as `jax.ShapeDtypeStruct`s, without allocating them."""
    return nnx.to_pure_dict(_abstract(config, Compute())[1])


def module(config: CLIPConfig, params: Params, compute: Compute = Compute()) -> CLIP:
    """The model with these parameters as a module, to run its parts: `visual.transformer.blocks["0"]` and so on."""
    return nnx.merge(_abstract(config, compute)[0], text_adapters.unadapted(params))


def encode_image(config: CLIPConfig, params: Params, image_BHWC: jax.Array, compute: Compute = Compute()) -> jax.Array:
    """Runs the image tower.

    Args:
        config: The architecture.
        params: Its parameters.
        image_BHWC: Normalised float pixels [B, S, S, 3].
        compute: How the tower is computed.

    Returns:
        Embeddings [B, E], float32, not unit length.
    """
    return module(config, params, compute).visual(image_BHWC)


def encode_text(config: CLIPConfig, params: Params, text_BT: jax.Array, compute: Compute = Compute()) -> jax.Array:
    """Runs the text tower.

    Args:
        config: The architecture.
        params: Its parameters, with those of an adapter beside the text tower's.
        text_BT: Token ids [B, T], T <= context length.
        compute: How the tower is computed.

    Returns:
        Embeddings [B, E], float32, not unit length.
    """
    text = module(config, params, compute).text
    return text_adapters.encode_text(text, params["text"], text_BT)


def encode_packed(config: CLIPConfig, params: Params, texts: PackedTexts, compute: Compute = Compute()) -> jax.Array:
    """Runs the text tower on rows of several captions.

    Args:
        config: The architecture; `negjax.models.packing.can_pack` must allow its text tower.
        params: Its parameters.
        texts: R rows with K slots.
        compute: How the tower is computed.

    Returns:
        Embeddings [R, K, E], float32, not unit length; those of slots that are not used mean nothing.
    """
    text = module(config, params, compute).text
    assert isinstance(text, TextTower)
    return text_adapters.encode_packed(text, params["text"], texts)


def encode_steered(
    config: CLIPConfig,
    params: Params,
    text_BT: jax.Array,
    direction_LD: jax.Array,
    strength: jax.Array,
    compute: Compute = Compute(),
) -> jax.Array:
    """Runs the text tower with its pooled token steered, see `TextTower.encode_steered`: embeddings [B, E]."""
    text = module(config, params, compute).text
    assert isinstance(text, TextTower)
    return text.encode_steered(text_BT, direction_LD, strength)


def block_states(config: CLIPConfig, params: Params, text_BT: jax.Array, compute: Compute = Compute()) -> jax.Array:
    """The states of the text tower's pooled token after each block [L, B, D]."""
    text = module(config, params, compute).text
    assert isinstance(text, TextTower)
    return text.block_states(text_BT)


def flatten_params(params: Params) -> dict[str, Any]:
    """Path ("visual/patch/kernel") -> leaf, for parameters or anything else in their tree, in the order of the tree."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def fingerprint(params: Params) -> str:
    """sha256 over the bytes of all parameters, sorted by path ("visual/patch/kernel")."""
    digest = hashlib.sha256()
    for _, leaf in sorted(flatten_params(params).items()):
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()
