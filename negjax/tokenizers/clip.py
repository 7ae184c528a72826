"""CLIP's byte-pair encoding: text to token ids, the same ids as OpenAI's and open_clip's.

Only the vocabulary's own special tokens, written out in a text, are read differently: as ordinary characters.
"""

import gzip
import html
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

import ftfy
import numpy as np
import regex

NAME = "clip"
START, END = 49406, 49407
VOCAB_SIZE = 49408
MERGES = VOCAB_SIZE - 2 * 256 - 2  # the vocabulary is 256 bytes, the same at a word's end, the merges, two specials
CACHED_WORDS = 1 << 17

# Letters together, digits one by one, other signs together, English contractions on their own.
_WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
# Nothing in such a text is for ftfy or html.unescape to mend.
_PLAIN = re.compile(r"[ -%'-~\t\n\r]*")


class Tokenizer:
    """Texts to rows of `context_length` ids: start token, the text's tokens, end token, zeros."""

    def __init__(self, context_length: int = 77):
        self.context_length = context_length

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> np.ndarray:
        """Token ids, int32 [N, T], T = context_length; a longer text is cut and keeps its end token."""
        length = context_length or self.context_length
        ids_NT = np.zeros((len(texts), length), np.int32)
        for row, text in zip(ids_NT, texts):
            ids = self._cut(_ids(text), length)
            row[: len(ids)] = ids
        return ids_NT

    def encode(self, text: str) -> list[int]:
        """The ids of one text with start and end, at most `context_length` of them."""
        return self._cut(_ids(text), self.context_length)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many ids each text takes, start and end included, at most `context_length`."""
        return [min(len(_ids(text)), self.context_length) for text in texts]

    def to_dict(self) -> dict[str, str]:
        """What a checkpoint says of it; `tokenizer_hf.tokenizer_from_dict` is the inverse."""
        return {"kind": NAME}

    @staticmethod
    def _cut(ids: list[int], length: int) -> list[int]:
        return ids if len(ids) <= length else [*ids[: length - 1], END]


def mended(text: str) -> str:
    """The text mended by ftfy, with HTML entities resolved twice."""
    return text if _PLAIN.fullmatch(text) else html.unescape(html.unescape(ftfy.fix_text(text)))


def clean(text: str) -> str:
    """The text as CLIP reads it: mended, single spaces, lower case."""
    return " ".join(mended(text).split()).lower()


def _ids(text: str) -> list[int]:
    ids = [START]
    for word in _WORD.findall(clean(text)):
        ids += _word_ids(word)
    ids.append(END)
    return ids


@lru_cache(maxsize=CACHED_WORDS)
def _word_ids(word: str) -> tuple[int, ...]:
    """Byte-pair encoding of one word: the adjacent pair that was merged first in training is merged first here."""
    ids, ranks, letters = _vocabulary()
    parts = [letters[byte] for byte in word.encode()]
    parts[-1] += "</w>"
    while len(parts) > 1:
        rank, pair = min((ranks.get(pair, MERGES), pair) for pair in pairwise(parts))
        if rank == MERGES:
            break
        merged: list[str] = []
        for part in parts:
            # A part may only join the one before it if that one was not just made.
            if merged and merged[-1] == pair[0] and part == pair[1]:
                merged[-1] = pair[0] + pair[1] + "\0"
            else:
                merged.append(part)
        parts = [part.rstrip("\0") for part in merged]
    return tuple(ids[part] for part in parts)


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The ids of all entries, special tokens last, and the merges in order, as transformers writes them."""
    ids, ranks, _ = _vocabulary()
    return ids | {"<|startoftext|>": START, "<|endoftext|>": END}, list(ranks)


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[dict[str, int], dict[tuple[str, str], int], dict[int, str]]:
    """Ids of the vocabulary's entries, ranks of the merges, and the letter that stands for each byte."""
    letters = _byte_letters()
    data = files("negjax").joinpath("assets/bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(data).decode().split("\n")[1 : MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    entries = [*letters.values(), *(f"{letter}</w>" for letter in letters.values()), *(a + b for a, b in merges)]
    return {entry: i for i, entry in enumerate(entries)}, {pair: i for i, pair in enumerate(merges)}, letters


def _byte_letters() -> dict[int, str]:
    """A printable character for every byte, in the vocabulary's order: printable Latin-1 first, as itself."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
