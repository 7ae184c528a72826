"""The objects that a caption names, and those that it denies, by the lexicon: no model, no network.

The longest name wins: "fire truck" is no fire and "teddy bear" no bear. A noun before another noun says what kind of
thing that is ("dog house", "train station"), and what only looks like a thing is none ("a painting of a horse", "a toy
car", "shaped like a heart"). Words that mostly mean something else are left out.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from negjax.language.lexicon import lexicon, plural_forms
from negjax.language.negation import may_be_negated, normalize
from negjax.language.splitter import split
from negjax.language.words import word_set

_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[^\s\w]")
# Before a noun: the thing is not a real one. After "of": it is shown in a thing.
_UNREAL = word_set(
    "toy fake stuffed plush cartoon lego inflatable painted plastic ceramic imaginary miniature model rubber animated"
)
_LIKENESSES = word_set(
    """statue statues painting paintings drawing drawings sculpture sculptures mural murals sketch figurine figurines
    carving portrait portraits illustration cartoon poster posters logo reflection shadow silhouette costume cutout
    shape smell taste type kind variety"""
)
_LIKE = word_set("like resembling as")
MAX_CHARACTERS = 2_000  # of a caption that is read: longer texts are pages, not captions
_SIGNS_OF_UNREAL = _UNREAL | _LIKENESSES | _LIKE
_BOTH = word_set("people sheep cattle police scissors pants glasses")  # plurals without a singular, or like it


@dataclass(frozen=True)
class Extracted:
    """The things that a caption speaks of, as main names of the lexicon ("person" for "people").

    Attributes:
        present: what the caption says is there.
        denied: what it says is not there.
        mentioned: all names that occur in it in any way, also unclear ones and those of which it does not say whether
            they are there: no caption may deny these.
        remark: why nothing is taken to be present in a caption of which it is not clear what it denies; else empty.
    """

    present: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()
    remark: str = ""


def extract(caption: str) -> Extracted:
    """Extract the objects of a caption.

    Args:
        caption: a caption in English; of other languages nothing is found.

    Returns:
        Its objects, in the order in which they stand, each once.
    """
    if len(caption) > MAX_CHARACTERS:
        return Extracted(remark=f"longer than {MAX_CHARACTERS:,} characters")
    text = normalize(caption)
    if not may_be_negated(text):
        present, mentioned = _find_things(text)
        return Extracted(present, (), mentioned)
    parsed = split(caption)
    present, mentioned = _find_things(normalize(parsed.affirmed))
    if not parsed.negated:
        if parsed.remark.startswith(("not understood", "double negation")):
            return Extracted((), (), mentioned, parsed.remark)
        return Extracted(present, (), mentioned)
    denied: dict[str, None] = {}
    for concept in parsed.negated:
        denied.update(dict.fromkeys(_find_things(normalize(concept))[0][-1:]))
    _, everything = _find_things(text)
    if contradicted := denied.keys() & set(present):
        return Extracted((), (), everything, f"contradiction: {sorted(contradicted)[0]}")
    return Extracted(present, tuple(denied), everything)


class _Noun(NamedTuple):
    """What is known of a word that is a noun or begins a name of several words.

    Attributes:
        shown: the name of the thing; "" where the word alone is no noun.
        clear: whether the name shows the thing in a caption.
        plural: whether the word is a plural.
        seconds: the second words of names that it begins, in any number.
        names: the rest of such a name, in any number -> the name in the singular.
    """

    shown: str
    clear: bool
    plural: bool
    seconds: frozenset[str]
    names: dict[str, str]


MAX_WORDS = 200_000  # that are remembered: what captions of any number say
_WORDS: dict[str, _Noun | None] = {}


def _find_things(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The things that a normalised text affirms, and all names in it."""
    words = _TOKEN.findall(text)
    words += ("", "", "")
    may_be_unreal = not _SIGNS_OF_UNREAL.isdisjoint(words)
    present: dict[str, None] = {}
    mentioned: dict[str, None] = {}
    end = 0
    for i, word in enumerate(words):
        if i < end:
            continue
        noun = _WORDS[word] if word in _WORDS else _remember(word)
        if noun is None:
            continue
        shown, clear, plural, seconds, names = noun
        end = i + 1
        if words[end] in seconds:
            two = f"{words[end]} {words[end + 1]}"
            rest = two if two in names else words[end]
            if rest in names:
                end += 1 + (rest is two)
                last = _look_up(f"{word} {rest}", names[rest])
                shown, clear, plural = last.shown, last.clear, last.plural
        if not shown:
            continue
        mentioned[shown] = None
        if clear and (plural or not _begins_compound(words[end])) and not (may_be_unreal and _is_unreal(words, i)):
            present[shown] = None
    return tuple(present), tuple(mentioned)


def _remember(word: str) -> _Noun | None:
    """Look a word up in the lexicon, once."""
    things = lexicon()
    names = {form: name for name in things.begun_by(word) for form in plural_forms(name.split(" ", 1)[1])}
    alone = _look_up(word, things.singular(word))
    seconds = frozenset(form.split(" ", 1)[0] for form in names)
    noun = alone._replace(seconds=seconds, names=names) if alone.shown or names else None
    if len(_WORDS) < MAX_WORDS:
        _WORDS[word] = noun
    return noun


def _look_up(text: str, name: str) -> _Noun:
    """What is known of a name that stands in a caption as `text`."""
    things = lexicon()
    meaning = things.names.get(name)
    shown = name if meaning is None else things.main_names[meaning]
    return _Noun(shown, meaning is not None, text != name or text in _BOTH, frozenset(), {})


def _begins_compound(following: str) -> bool:
    """Whether a noun in the singular before this word only says of what kind the next noun is: "dog house".

    Verbs are not taken for nouns: those that captions use have an "s" ("a man stands"), and the unclear nouns, which
    may be verbs, count in the singular only.
    """
    noun = _WORDS[following] if following in _WORDS else _remember(following)
    return noun is not None and noun.shown != "" and (noun.clear or not (noun.plural or following in _VERBS))


# Unclear nouns that are verbs or adverbs after a noun: "a man ride", "people play", "a dog back there".
_VERBS = word_set(
    """stand ride play run jump walk look watch back cross top fly left right light hit catch kick swing slide pose
    rest work drive fall head face hold lay low show stop turn dive serve pass game smoke"""
)


def _is_unreal(words: list[str], i: int) -> bool:
    """Whether the noun at `i` is a likeness: "a toy car", "a statue of a horse", "looks like a boat"."""
    j = i - 1
    if j >= 0 and words[j] in _UNREAL:
        return True
    for j in range(i - 1, max(i - 5, -1), -1):
        word = words[j]
        if word == "of":
            return j > 0 and words[j - 1] in _LIKENESSES
        if word in _LIKE:
            return True
        if not word.isalpha() or word in _BREAKS:
            return False
    return False


_BREAKS = word_set("and with in on at to from by or is are near next while that which for into over under")
