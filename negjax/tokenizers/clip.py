"""CLIP's byte-pair encoding: text to token ids, the same ids as OpenAI's and open_clip's.

One thing differs: the vocabulary's special tokens, written out in a text, are read as ordinary characters.
"""

import gzip
from collections.abc import Mapping, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from importlib.resources import files

import numpy as np
import regex

from negjax.errors import NegjaxError
from negjax.tokenizers.cleaning import OPEN_CLIP_CLEANINGS

CLIP_KIND = "clip"
START, END = 49406, 49407
VOCAB_SIZE = 49408
NUM_MERGES = VOCAB_SIZE - 2 * 256 - 2  # the vocabulary: 256 bytes, the same at a word's end, the merges, two specials
CACHED_WORDS = 1 << 17

# Runs of letters, single digits, runs of other characters, and English contractions by themselves.
_WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


class Tokenizer:
    """CLIP's tokenizer: texts to rows of start token, the text's tokens, end token, zeros.

    Attributes:
        context_length: number of ids of a row.
        clean: how a text is cleaned first: "lower", or in some models of open_clip "whitespace" or "canonicalize".

    Raises:
        NegjaxError: the cleaning is unknown.
    """

    vocab_size = VOCAB_SIZE

    def __init__(self, context_length: int = 77, clean: str = "lower"):
        if clean not in OPEN_CLIP_CLEANINGS:
            raise NegjaxError(f"unknown cleaning of texts {clean!r}; choose one of {', '.join(OPEN_CLIP_CLEANINGS)}")
        self.context_length, self.clean = context_length, clean

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> np.ndarray:
        """Tokenizes texts.

        Args:
            texts: N texts.
            context_length: T; that of the tokenizer by default.

        Returns:
            int32 [N, T]. A longer text is truncated and keeps its end token.
        """
        length = context_length or self.context_length
        ids_NT = np.zeros((len(texts), length), np.int32)
        for row, text in zip(ids_NT, texts):
            ids = self._truncate(self._encode(text), length)
            row[: len(ids)] = ids
        return ids_NT

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text with start and end token, truncated to `context_length`."""
        return self._truncate(self._encode(text), self.context_length)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Returns the number of ids of each text, start and end token included, at most `context_length`."""
        return [min(len(self._encode(text)), self.context_length) for text in texts]

    def to_dict(self) -> dict[str, str]:
        """Returns what a checkpoint stores; `negjax.tokenizers.tokenizer_from_dict` is the inverse."""
        return {"kind": CLIP_KIND} | ({} if self.clean == "lower" else {"clean": self.clean})

    def _encode(self, text: str) -> list[int]:
        """The ids of a text with start and end token."""
        ids = [START]
        for word in _WORD.findall(OPEN_CLIP_CLEANINGS[self.clean](text)):
            ids += _word_ids(word)
        ids.append(END)
        return ids

    @staticmethod
    def _truncate(ids: list[int], length: int) -> list[int]:
        return ids if len(ids) <= length else [*ids[: length - 1], END]


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Returns the ids of all entries, special tokens last, and the merges in order, as transformers writes them."""
    ids, ranks, _ = _read_vocabulary()
    return ids | {"<|startoftext|>": START, "<|endoftext|>": END}, list(ranks)


@lru_cache(maxsize=CACHED_WORDS)
def _word_ids(word: str) -> tuple[int, ...]:
    """Byte-pair encoding of a word: of its adjacent pairs, that which was merged first in training is merged first."""
    ids, ranks, characters = _read_vocabulary()
    parts = [characters[byte] for byte in word.encode()]
    parts[-1] += "</w>"
    return tuple(ids[part] for part in _merge_parts(parts, ranks))


def _merge_parts(parts: list[str], ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """Merges adjacent parts, the pair of lowest rank first and equal pairs from left to right, in O(n log n).

    A heap may serve: a merge comes after those that make its two parts, so a part that was just made never has a pair
    of lower rank.
    """
    count = len(parts)
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))

    def rank_at(index: int) -> int:
        """The rank of a part and the next one; NUM_MERGES if they do not merge."""
        return ranks.get((parts[index], parts[after[index]]), NUM_MERGES) if after[index] < count else NUM_MERGES

    heap = [(rank, index) for index in range(count) if (rank := rank_at(index)) < NUM_MERGES]
    heapify(heap)
    while heap:
        rank, index = heappop(heap)
        if rank_at(index) != rank:  # one of the two has become part of another
            continue
        second = after[index]
        parts[index] += parts[second]
        parts[second] = ""
        after[index] = after[second]
        if after[second] < count:
            before[after[second]] = index
        for start in (before[index], index):
            if start >= 0 and (rank := rank_at(start)) < NUM_MERGES:
                heappush(heap, (rank, start))
    return [part for part in parts if part]


@lru_cache(maxsize=1)
def _read_vocabulary() -> tuple[dict[str, int], dict[tuple[str, str], int], dict[int, str]]:
    """Ids of the entries without special tokens, ranks of the merges, and the character that represents each byte."""
    characters = _byte_characters()
    data = files("negjax").joinpath("assets/bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(data).decode().split("\n")[1 : NUM_MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    word_ends = (f"{character}</w>" for character in characters.values())
    entries = [*characters.values(), *word_ends, *(first + second for first, second in merges)]
    return {entry: i for i, entry in enumerate(entries)}, {pair: i for i, pair in enumerate(merges)}, characters


def _byte_characters() -> dict[int, str]:
    """A printable character for every byte, in the vocabulary's order: printable Latin-1 first, as itself."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
