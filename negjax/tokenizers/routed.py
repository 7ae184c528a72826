"""Token ids that also tell whether their text denies something, for models with an adapter for such texts.

The first id of such a text is given as its complement, -1 - id. So the mark goes wherever the ids go: through batches,
packed rows and caches of embeddings.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np


class RoutedTokenizer:
    """Another tokenizer, whose ids are marked for texts that deny something by `negjax.language.splitter`."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> np.ndarray:
        """Tokenizes texts: int32 [N, T], the first id as its complement where the text denies something."""
        id_NT = self.plain(texts, context_length)
        id_NT[:, 0] = np.where([denies(text) for text in texts], ~id_NT[:, 0], id_NT[:, 0])
        return id_NT

    def __getattr__(self, name: str) -> Any:
        """All else is the other tokenizer's."""
        if name == "plain" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.plain, name)


@lru_cache(maxsize=1 << 16)
def denies(text: str) -> bool:
    """Whether a text denies something."""
    from negjax.language.splitter import split  # its patterns are compiled when they are used

    return bool(split(text).negated)


def unmarked(ids: Any) -> Any:
    """The same ids without marks, of any array of signed integers."""
    return ids ^ (ids >> 31)
