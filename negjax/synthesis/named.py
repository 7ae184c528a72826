"""What a language model says that a caption names and denies, as far as the caption bears it out."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from negjax.language.lexicon import lexicon
from negjax.language.negation import normalize
from negjax.language.nouns import singular_name
from negjax.synthesis.extract import Extracted, extract

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_PEOPLE = {"nobody": "people", "no one": "people", "no-one": "people"}  # denied by a word that does not name them
_NAME_WORDS = 5  # of a name


class Named(NamedTuple):
    """Names as a language model gives them. present: that a caption says are there; denied: that are not."""

    present: tuple[str, ...]
    denied: tuple[str, ...]


def check_names(caption: str, named: Named) -> Extracted:
    """What counts of a language model's reading of a caption.

    Names that do not stand in the caption are dropped. Names of the lexicon become its main names; one that mostly
    means something else, and one of which the model and the splitter disagree whether it is there, are mentioned
    alone. What the lexicon does not know ("pleural effusion") stays as it is, in the singular.

    Args:
        caption: the caption.
        named: the reading.
    """
    by_rules = extract(caption)
    words = f" {' '.join(_WORD.findall(normalize(caption)))} "
    extra = " people " if any(f" {word} " in words for word in _PEOPLE) else ""
    present, denied = (_known(names, words + extra) for names in named)
    disputed = present.keys() & denied.keys()
    disputed |= present.keys() & set(by_rules.denied) | denied.keys() & set(by_rules.present)
    clear = [name for name, is_clear in (present | denied).items() if is_clear and name not in disputed]
    return Extracted(
        tuple(name for name in clear if name in present),
        tuple(name for name in clear if name in denied),
        tuple(dict.fromkeys((*by_rules.mentioned, *present, *denied))),
    )


def lexicon_name(name: str) -> str:
    """The main name of what a name of the lexicon shows, in any number; "" for names that it does not know for sure."""
    things = lexicon()
    meaning = things.names.get(things.singular(name))
    return "" if meaning is None else things.main_names[meaning]


def _known(names: Iterable[str], words: str) -> dict[str, bool]:
    """The names that stand in a text, in the singular -> whether they show what they name."""
    known: dict[str, bool] = {}
    for name in names:
        parts = _WORD.findall(normalize(name))
        if not 0 < len(parts) <= _NAME_WORDS or f" {' '.join(parts)} " not in words:
            continue
        plain = " ".join(parts)
        if main := lexicon_name(plain):
            known[main] = True
        else:
            unclear = lexicon().singular(plain)
            known[unclear or singular_name(plain)] = not unclear
    return known
