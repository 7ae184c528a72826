"""Checks of what users pass to a model's encoders: JAX itself would cut, clamp or broadcast what does not fit."""

from typing import Any

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import TextConfig, TextEncoderConfig
from negjax.tokenizers.routed import unmarked


def check_pixels(pixels: Any, size: int) -> Any:
    """Checks pixels for the image tower.

    Args:
        pixels: an array or tensor [B, S, S, 3] of uint8, or a list of [S, S, 3].
        size: S.

    Returns:
        The pixels as an array of NumPy or JAX.

    Raises:
        TypeError: They are something else.
    """
    array = _as_array(pixels, "pixels", "preprocess")
    if array.dtype != np.uint8:
        hint = "give what preprocess() returns, uint8 from 0 to 255; the model normalises them itself"
        raise TypeError(f"the pixels are {array.dtype}: {hint}")
    if array.ndim != 4 or array.shape[1:] != (size, size, 3):
        hint = "a single image is pixels[None]" if array.shape == (size, size, 3) else "make them with preprocess()"
        raise TypeError(f"the pixels are {list(array.shape)} instead of [B, {size}, {size}, 3]: {hint}")
    return array


def check_tokens(tokens: Any, config: TextConfig | TextEncoderConfig, marked: bool = False) -> Any:
    """Checks token ids for the text tower.

    Args:
        tokens: an array or tensor [B, T] of integers, or a list of lists.
        config: of the tower.
        marked: whether a first id may be a complement, as `negjax.tokenizers.routed` has it.

    Returns:
        The ids as an array of NumPy or JAX.

    Raises:
        TypeError: They are something else, or their length is not of this tower.
        NegjaxError: An id is not in the vocabulary.
    """
    array = _as_array(tokens, "token ids", "tokenize")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"the token ids are {array.dtype}, not integers: make them with tokenize()")
    context = config.context_length
    least = context if config.sees_padding else 1
    if array.ndim != 2 or not least <= array.shape[1] <= context:
        wanted = f"{context}]" if least == context else f"T] with T up to {context}"
        hint = "a single text is ids[None]" if array.ndim == 1 else "make them with tokenize()"
        raise TypeError(f"the token ids are {list(array.shape)} instead of [B, {wanted}: {hint}")
    if not isinstance(array, jax.core.Tracer) and array.size:
        ids = unmarked(array) if marked else array
        lowest, highest = int(ids.min()), int(ids.max())
        if lowest < 0 or highest >= config.vocab_size:
            wrong = lowest if lowest < 0 else highest
            raise NegjaxError(f"token id {wrong} is not in this model's vocabulary of {config.vocab_size}")
    return array


def _as_array(argument: Any, what: str, maker: str) -> Any:
    """Arrays of JAX stay as they are, on their devices or traced."""
    if isinstance(argument, jax.Array):
        return argument
    try:
        array = None if isinstance(argument, str | bytes) else np.asarray(argument)
    except (ValueError, TypeError, RuntimeError) as error:
        raise TypeError(f"the {what} are no array ({error}): make them with {maker}()") from error
    if array is None or array.dtype.kind not in "biuf":
        raise TypeError(f"the {what} are {type(argument).__name__}, not an array: make them with {maker}()")
    return array
