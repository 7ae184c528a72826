"""Text to token ids: CLIP's byte-pair encoding, and the tokenizers that other models bring."""

from typing import Any

from negjax.errors import NegjaxError
from negjax.tokenizers.clip import CLIP_KIND, Tokenizer
from negjax.tokenizers.hf import HF_KIND, HFTokenizer
from negjax.tokenizers.routed import RoutedTokenizer

AnyTokenizer = Tokenizer | HFTokenizer | RoutedTokenizer


def tokenizer_from_dict(data: dict[str, Any], context_length: int) -> AnyTokenizer:
    """Returns the tokenizer that a checkpoint describes.

    Args:
        data: a `Tokenizer.to_dict` or a `HFTokenizer.to_dict`.
        context_length: number of ids of a row.

    Raises:
        NegjaxError: the kind is unknown, or the description is malformed.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == CLIP_KIND:
        return Tokenizer(context_length, data.get("clean", "lower"))
    if kind == HF_KIND:
        return HFTokenizer.from_dict({**data, "context_length": context_length})
    raise NegjaxError(f"unknown kind of tokenizer {kind!r}; choose one of {CLIP_KIND}, {HF_KIND}")
