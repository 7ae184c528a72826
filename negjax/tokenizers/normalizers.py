"""Cleaning of texts as normalizers of a tokenizer.json, for libraries that do nothing else to a text.

All of `negjax.tokenizers.cleaning`, except that of `fix_text` only what is common: quotes, composed letters, control
characters and the HTML entities of ASCII. Text in a wrong encoding is beyond such a file.
"""

import json
from collections.abc import Sequence
from typing import Any

from negjax.tokenizers.cleaning import SENTENCEPIECE_SPACE
from negjax.tokenizers.sentencepiece import split_normalizer

Normalizer = dict[str, Any]  # in the form of a tokenizer.json


def _replace(pattern: str, content: str) -> Normalizer:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


_STRIP: Normalizer = {"type": "Strip", "strip_left": True, "strip_right": True}
_FIXED = [  # as ftfy does it
    *(_replace(f"&(?:amp;)?{entity};", text) for entity, text in (("lt", "<"), ("gt", ">"), ("quot", '"'))),
    _replace("&(?:amp;)?(?:#39|#x27|apos);", "'"),
    _replace("&(?:amp;)?amp;", "&"),
    _replace("[\u02bc\u2018-\u201b]", "'"),
    _replace("[\u201c-\u201f]", '"'),
    {"type": "NFC"},
    _replace("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]", ""),
]
_SINGLE_SPACES = [_replace(r"[\s\x1c-\x1f]+", " "), _STRIP]
# A capital sigma that ends a word has a small form of its own in Python, which Lowercase does not know.
_CASED = r"[\p{Lu}\p{Ll}\p{Lt}]"
_LOWER = [_replace(f"(?<={_CASED})Σ(?!{_CASED})", "ς"), {"type": "Lowercase"}]
_NO_PUNCTUATION = _replace(r"[!-/:-@\[-`{-~]", "")
_SIGLIP_BEFORE = [
    _replace(SENTENCEPIECE_SPACE, " "),
    {"type": "Prepend", "prepend": SENTENCEPIECE_SPACE},
    _NO_PUNCTUATION,
    *_SINGLE_SPACES,
]
_SIGLIP_AFTER = [_replace(" +", " "), _replace(f"[ {SENTENCEPIECE_SPACE}]+$", "")]
_NORMALIZERS_OF_CLEANING = {
    "lower": [*_FIXED, *_SINGLE_SPACES, *_LOWER],
    "whitespace": [*_FIXED, *_SINGLE_SPACES],
    "canonicalize": [*_FIXED, _replace("_", " "), _NO_PUNCTUATION, *_LOWER, *_SINGLE_SPACES],
    "siglip": [*_LOWER, *_SIGLIP_BEFORE],
    "siglip-cased": _SIGLIP_BEFORE,
}


def with_cleaning(tokenizer_json: str, cleanings: Sequence[str]) -> str:
    """Returns a tokenizer.json that cleans texts before it does what it did.

    Args:
        tokenizer_json: the text of the file.
        cleanings: names of cleanings in their order, as in `HFTokenizer.clean`.
    """
    if not cleanings:
        return tokenizer_json
    tokenizer = json.loads(tokenizer_json)
    before = [normalizer for name in cleanings for normalizer in _NORMALIZERS_OF_CLEANING[name]]
    after = _SIGLIP_AFTER if cleanings[-1].startswith("siglip") else []
    normalizers = [*before, *split_normalizer(tokenizer.get("normalizer")), *after]
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": normalizers}
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
