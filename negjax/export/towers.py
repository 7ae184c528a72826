"""The two towers as functions of their own weights and of what a runtime gives them: unit vectors come out.

Shapes: B batch, S side of the image in pixels, T context length, E length of the embeddings.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from negjax.errors import NegjaxError
from negjax.media.images import normalise
from negjax.models import clip
from negjax.models.compute import Compute
from negjax.models.loaded import LoadedModel
from negjax.tokenizers.hf import HFTokenizer

Pixels = Literal["uint8", "normalised"]
EMBEDDING_NAME = "embedding"


@dataclass(frozen=True)
class ExportedTower:
    """A tower to be written.

    Attributes:
        input_name: Of its input.
        shape: Of an input, without the batch.
        dtype: Of the input.
        function: (weights, inputs [B, ...]) -> float32 unit vectors [B, E].
        weights: The tower's part of the parameters, a tree with the key "visual" or "text".
    """

    input_name: str
    shape: tuple[int, ...]
    dtype: str
    function: Callable[[clip.Params, Any], jax.Array]
    weights: clip.Params

    def example(self) -> jax.ShapeDtypeStruct:
        """The input's shape, with a symbol for the batch, and its type."""
        (batch,) = jax.export.symbolic_shape("batch")
        return jax.ShapeDtypeStruct((batch, *self.shape), np.dtype(self.dtype))


def image_tower(model: LoadedModel, name: str, pixels: Pixels) -> ExportedTower:
    """The image tower.

    Args:
        model: The model; its `compute` and the types of its parameters decide how the tower is computed.
        name: Of the input.
        pixels: What the input is: "uint8" [B, S, S, 3] as they come from resizing, or "normalised" float32
            [B, 3, S, S], from which the mean is subtracted and which are divided by the standard deviation.
    """
    size = model.config.vision.image_size

    def run(weights: clip.Params, pixels_B: jax.Array) -> jax.Array:
        normed = pixels == "normalised"
        image_BHWC = pixels_B.transpose(0, 2, 3, 1) if normed else normalise(pixels_B, model.preprocess)
        return _unit(clip.encode_image(model.config, _whole(model, weights), image_BHWC, model.compute))

    shape = (3, size, size) if pixels == "normalised" else (size, size, 3)
    dtype = "float32" if pixels == "normalised" else "uint8"
    return ExportedTower(name, shape, dtype, run, {"visual": model.params["visual"]})


def text_tower(model: LoadedModel, name: str) -> ExportedTower:
    """The text tower, of int32 token ids [B, T]; see `image_tower`."""
    strip_id = model.tokenizer.strip_id if isinstance(model.tokenizer, HFTokenizer) else None

    def run(weights: clip.Params, text_BT: jax.Array) -> jax.Array:
        if strip_id is not None:  # no tokenizer.json can do this
            text_BT = jnp.where(text_BT == strip_id, 0, text_BT)
        return _unit(clip.encode_text(model.config, _whole(model, weights), text_BT, model.compute))

    return ExportedTower(name, (model.config.text.context_length,), "int32", run, {"text": model.params["text"]})


def in_half(model: LoadedModel) -> LoadedModel:
    """The model with its matrices and tables in float16, multiplied in float16; norms and softmax stay float32.

    Raises:
        NegjaxError: A number is too large for float16.
    """

    def halve(path: Any, leaf: Any) -> Any:
        if leaf.ndim < 2:
            return leaf
        half = np.asarray(leaf).astype(np.float16)
        if not np.isfinite(half).all():
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise NegjaxError(f"{name} has numbers beyond float16's 65,504: use --dtype float32")
        return half

    with np.errstate(over="ignore"):
        params = jax.tree_util.tree_map_with_path(halve, model.params)
    return replace(model, params=params, compute=Compute(dtype="float16"))


def _whole(model: LoadedModel, weights: clip.Params) -> clip.Params:
    """All parameters; the other tower's, which is not computed, without content."""
    empty = {key: jax.tree.map(lambda leaf: jnp.zeros(()), part) for key, part in model.params.items()}
    return empty | weights


def _unit(embedding_BE: jax.Array) -> jax.Array:
    return embedding_BE / jnp.sqrt(jnp.square(embedding_BE).sum(-1, keepdims=True))
