"""Whether a sentence in other words still says the same of every object: by the splitter, not by who rewrote it."""

import re
from collections.abc import Iterable, Mapping

from negjax.language.lexicon import plural_forms
from negjax.language.negation import is_negated, normalize
from negjax.language.splitter import split
from negjax.runtime.printable import printable
from negjax.synthesis.extract import extract

MAX_LENGTH = 200  # characters of a sentence that is rewritten
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_LONGEST_NAME = 5  # words


def name_forms(names: Iterable[str]) -> dict[str, str]:
    """The forms in which names stand in sentences -> the name: "dogs" for "dog"."""
    return {form: name for name in names for form in plural_forms(" ".join(_WORD.findall(normalize(name))))}


def says_the_same(sentence: str, paraphrase: str, forms: Mapping[str, str]) -> bool:
    """Whether a paraphrase affirms and denies the same objects as a sentence, and no others.

    False also where the sentence itself is not understood: then nothing could be checked.

    Args:
        sentence: in the words of a pattern.
        paraphrase: in other words.
        forms: of the objects that may be spoken of, by `name_forms`.
    """
    if len(paraphrase) > 2 * len(sentence) + 40 or printable(paraphrase) != paraphrase:
        return False
    claims = _claims(sentence, forms)
    return claims is not None and claims == _claims(paraphrase, forms)


def _claims(text: str, forms: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str], bool] | None:
    """The objects that a text affirms and denies, and whether it negates; None if that is not clear."""
    extracted, parsed = extract(text), split(text)
    if extracted.remark or parsed.remark:
        return None
    present = {*extracted.present, *_names_in(parsed.affirmed, forms)}
    denied = {*extracted.denied, *(name for concept in parsed.negated for name in _names_in(concept, forms))}
    if not (present or denied) or present & denied:
        return None
    return frozenset(present), frozenset(denied), is_negated(text)


def _names_in(text: str, forms: Mapping[str, str]) -> list[str]:
    """The names in a text; the longest that begins at a word counts."""
    words = _WORD.findall(normalize(text))
    names, end = [], 0
    for start in range(len(words)):
        if start < end:
            continue
        for stop in range(min(start + _LONGEST_NAME, len(words)), start, -1):
            if (form := " ".join(words[start:stop])) in forms:
                names.append(forms[form])
                end = stop
                break
    return names
