"""Cleaning of texts before they are tokenized, as open_clip and transformers' SiglipTokenizer do it."""

import html
import re
import string
from collections.abc import Callable

import ftfy

SENTENCEPIECE_SPACE = "▁"
_OPEN_CLIP_CLEANINGS = ("lower", "whitespace", "canonicalize")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# ftfy and html.unescape change nothing in a text of these characters.
_PLAIN = re.compile(r"[ -%'-~\t\n\r]*")


def fix_text(text: str) -> str:
    """Returns the text with its encoding errors fixed by ftfy, and HTML entities resolved twice."""
    return text if _PLAIN.fullmatch(text) else html.unescape(html.unescape(ftfy.fix_text(text)))


def clean_lower(text: str) -> str:
    """Returns the text as CLIP and open_clip's "lower" clean it: fixed, single spaces, lower case."""
    return clean_whitespace(text).lower()


def clean_whitespace(text: str) -> str:
    """Returns the text as open_clip's "whitespace" cleans it: fixed, single spaces."""
    return " ".join(fix_text(text).split())


def canonicalize(text: str) -> str:
    """Returns the text as open_clip and big_vision canonicalize it: no ASCII punctuation, lower case, single spaces."""
    return " ".join(fix_text(text).replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


OPEN_CLIP_CLEANINGS = {"lower": clean_lower, "whitespace": clean_whitespace, "canonicalize": canonicalize}


def clean_siglip(text: str, replace: Callable[[str], str]) -> str:
    """Returns the text as transformers' SiglipTokenizer cleans it, except for lower-casing.

    No ASCII punctuation, single spaces, then sentencepiece's replacements. The space put in front is the one that
    sentencepiece adds to every text; SiglipTokenizer adds it before it cleans, so that a text which then starts with a
    space has two.

    Args:
        text: any text.
        replace: sentencepiece's replacements, see `negjax.tokenizers.sentencepiece`.
    """
    text = (SENTENCEPIECE_SPACE + text.replace(SENTENCEPIECE_SPACE, " ")).translate(_NO_PUNCTUATION)
    text = replace(re.sub(r"\s+", " ", text).strip())
    return re.sub(" +", " ", text).rstrip(" " + SENTENCEPIECE_SPACE)


def split_for_open_clip(clean: str) -> tuple[str, list[str]]:
    """Splits an `HFTokenizer.clean` into the cleaning that open_clip does and those left to the tokenizer.json.

    open_clip cleans every text in one of its own ways, at the least of superfluous spaces.
    """
    names = [name for name in clean.split("+") if name]
    return (names[0], names[1:]) if names and names[0] in _OPEN_CLIP_CLEANINGS else ("whitespace", names)
