"""sentencepiece's replacements of characters (NFKC and more), by the table in a tokenizer.json.

The tokenizers library applies that table to whole grapheme clusters, and so drops some accents and keeps others apart.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np


def split_normalizer(normalizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Returns the parts of the normalizer of a tokenizer.json."""
    return normalizer.get("normalizers", [normalizer]) if normalizer else []


def read_replacements(tokenizer_json: str) -> Callable[[str], str]:
    """Returns the function that replaces characters by the table of a tokenizer.json, the longest match at each
    position.

    The table: a uint32 n; n bytes of a trie over UTF-8, as darts-clone packs it in uint32 (a unit holds the byte that
    leads to it, whether a sequence ends there, and the offset of its children); then the replacements, each followed by
    a zero byte.

    Args:
        tokenizer_json: the text of the file. Without a table the function returns its argument.
    """
    parts = split_normalizer(json.loads(tokenizer_json).get("normalizer"))
    tables = [part["precompiled_charsmap"] for part in parts if part.get("type") == "Precompiled"]
    if not tables:
        return str
    table = base64.b64decode(tables[0])
    trie_bytes = int.from_bytes(table[:4], "little")
    trie, replacements = np.frombuffer(table, "<u4", trie_bytes // 4, 4).tolist(), table[4 + trie_bytes :]

    def children(unit: int) -> int:
        return (unit >> 10) << ((unit & 0x200) >> 6)

    def longest_match(data: bytes, start: int) -> tuple[int, int]:
        """The end of the longest sequence at `start` and the offset of its replacement; (start, 0) without any."""
        end, offset, node = start, 0, children(trie[0])
        for i in range(start, len(data)):
            node ^= data[i]
            unit = trie[node]
            if unit & 0x800000FF != data[i]:
                break
            node ^= children(unit)
            if unit & 0x100:  # a sequence ends here; the first child holds the offset of its replacement
                end, offset = i + 1, trie[node] & 0x7FFFFFFF
        return end, offset

    def replace(text: str) -> str:
        data, replaced, position = text.encode(), bytearray(), 0
        while position < len(data):
            end, offset = longest_match(data, position)
            if end == position:
                end += 1
                replaced += data[position:end]
            else:
                replaced += replacements[offset : replacements.index(0, offset)]
            position = end
        return replaced.decode()

    return replace
