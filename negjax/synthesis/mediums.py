"""What images are: the sentence patterns for drawings, photographs, video clips and X-rays."""

import re
from dataclasses import replace
from functools import cache
from typing import Literal, get_args

from negjax.synthesis.patterns import DRAWINGS, PatternTables, SentencePatterns
from negjax.synthesis.radiology import RADIOLOGY

Medium = Literal["drawing", "photo", "video", "xray"]
PICTURED: tuple[Medium, ...] = get_args(Medium)[1:]  # what labels and captions of others are of
NOUNS: dict[Medium, str] = {"drawing": "image", "photo": "image", "video": "video", "xray": "image"}

# Words of the patterns for drawings -> words that fit the medium.
_WORDS = {
    "photo": {"drawing": "photo"},
    "video": {"an image": "a video", "image": "video", "picture": "clip", "drawing": "recording"},
}
# Sentences about several things, of photographs and clips.
_OF_SEVERAL = {
    "negation_last": (
        "{P} but no {Ns}",
        "there {is} {P} but there {Ns_are}n't any {Ns}",
        "we see {P} but {not_one_N}",
    ),
    "negation_first": (
        "there {Ns_are} no {Ns}, but there {is} {P}",
        "there {Ns_are}n't any {Ns}, but you can see {P}",
        "{not_one_N} can be seen, but {P} can",
    ),
    "absent": (
        "there {Ns_are} no {Ns} here",
        "there {Ns_are}n't any {Ns}",
        "no {Ns} can be seen",
        "there {N_is} {not_one_N} in the picture",
    ),
    "inserted": (
        "{caption}, but there {Ns_are} no {Ns}",
        "{caption}, and there {Ns_are}n't any {Ns}",
        "{caption}, but {not_one_N} can be seen",
        "There {Ns_are} no {Ns}, but {continued}",
    ),
}
# Sentences that only a clip has.
_OF_CLIPS = {
    "affirmative": ("throughout the clip there {is} {P}", "a clip that shows {P}"),
    "negation_last": ("the video shows {P} but never {a_N}", "throughout the clip there {is} {P} but no {N}"),
    "negation_first": ("the clip never shows {a_N} but shows {P}",),
    "absent": (
        "the video never shows {a_N}",
        "no {N} {N_is} shown at any point",
        "throughout the clip there {N_is} no {N}",
    ),
    "neither": ("the video shows neither {a_N} nor {a_M} at any point",),
}
# Words with one meaning: an opener and a sentence that both have one of a class say a thing twice.
_PLACES = "here|scene|image|picture|photo|drawing|clip|video|recording|x-ray|study|radiograph|imaging"
_SIGHT = "see|seen|look|visible|shown|shows?"
_CLASSES = tuple(re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in (_PLACES, _SIGHT))
_TITLE = re.compile(
    rf"(?:an?|the) (?:{_PLACES}|view)\b(?! (?:shows|has|contains|includes|features|lacks|does))", re.IGNORECASE
)


@cache
def select_tables(medium: Medium) -> PatternTables:
    """The sentence patterns for a medium.

    Args:
        medium: what the images are.

    Returns:
        For drawings their own tables; for photographs and clips the same with other words, without patterns that
        mention drawing; for X-rays those of radiology reports.
    """
    if medium == "drawing":
        return DRAWINGS
    if medium == "xray":
        return RADIOLOGY
    words = _WORDS[medium]
    own = _OF_CLIPS if medium == "video" else {}
    several = {name: _adapt(texts, words) for name, texts in _OF_SEVERAL.items()}
    tables = {
        name: SentencePatterns(
            (*_adapt(table.train, words), *several.get(name, ()), *own.get(name, ())),
            _adapt(table.held_out, words),
        )
        for name, table in vars(DRAWINGS).items()
        if isinstance(table, SentencePatterns)
    }
    unnegated = {_exchange(text, words): _exchange(plain, words) for text, plain in DRAWINGS.unnegated.items()}
    return replace(
        DRAWINGS, **tables, inserted=(*_adapt(DRAWINGS.inserted, words), *several["inserted"]), unnegated=unnegated
    )


def clashes(opener: str, pattern: str) -> bool:
    """Whether an opener does not fit before a sentence: both say where or that one sees, or it is a title.

    "here, there is a cat here", "as you can see, a picture of a cat".
    """
    return bool(opener) and (
        bool(_TITLE.match(pattern)) or any(words.search(opener) and words.search(pattern) for words in _CLASSES)
    )


def _adapt(part: tuple[str, ...], words: dict[str, str]) -> tuple[str, ...]:
    """Patterns in other words, without those that mention drawing."""
    return tuple(_exchange(text, words) for text in part if not re.search(r"\b(draw|drew|drawn)\b", text))


def _exchange(text: str, words: dict[str, str]) -> str:
    for word, other in words.items():
        text = re.sub(rf"\b{word}\b", other, text)
    return text.replace("any {N}", "any {Ns}")  # "without any dogs"
