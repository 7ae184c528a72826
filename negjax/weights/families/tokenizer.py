"""The tokenizer of weights: CLIP's own, or the one in the weights' folder."""

from collections.abc import Mapping
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.models.architecture import CLIPConfig
from negjax.tokenizers import AnyTokenizer
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer
from negjax.tokenizers.hf_folder import read_tokenizer

_TOKENIZER_KWARGS = ("clean", "strip_sep_token")


def has_clip_tokenizer(config: CLIPConfig) -> bool:
    """Whether texts are tokenized by CLIP's own vocabulary, and not by a tokenizer beside the weights."""
    return config.text.vocab_size == VOCAB_SIZE and config.text.pool in ("argmax", "class")


def read_clip_or_folder_tokenizer(
    config: CLIPConfig, folder: epath.Path, tokenizer_kwargs: Mapping[str, Any] | None
) -> AnyTokenizer:
    """CLIP's tokenizer where the text tower has its vocabulary and pools as CLIP or CoCa do; else the folder's.

    Args:
        config: The architecture.
        folder: Where the weights are.
        tokenizer_kwargs: As an open_clip_config.json has them; None for what transformers does with the folder.

    Returns:
        The tokenizer, for the context length of the architecture.

    Raises:
        NegjaxError: If the folder's tokenizer is missing or malformed, or tokenizer_kwargs ask for what it cannot do.
    """
    text = config.text
    for key, value in (tokenizer_kwargs or {}).items():
        if key not in _TOKENIZER_KWARGS and value:
            raise NegjaxError(
                f"{folder}: tokenizer_kwargs.{key} is {value!r}: not supported, only {', '.join(_TOKENIZER_KWARGS)}"
            )
    if has_clip_tokenizer(config):
        try:
            return Tokenizer(text.context_length, (tokenizer_kwargs or {}).get("clean", "lower"))
        except NegjaxError as error:
            raise NegjaxError(f"{folder}: tokenizer_kwargs.clean: {error}") from error
    if tokenizer_kwargs is None:
        return read_tokenizer(folder, text.context_length)
    clean, strip_sep = tokenizer_kwargs.get("clean", "whitespace"), bool(tokenizer_kwargs.get("strip_sep_token"))
    return read_tokenizer(folder, text.context_length, clean=clean, strip_sep=strip_sep)
