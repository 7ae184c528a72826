"""The objects that a caption names, and those that it denies, by the lexicon: no model, no network.

The longest name wins: "fire truck" is no fire and "teddy bear" no bear. A noun before another noun says what kind of
thing that is ("dog house", "train station"), and what only looks like a thing is none ("a painting of a horse", "a toy
car", "shaped like a heart"). Words that mostly mean something else are left out. Names are found however they are spelt
("fire truck", "firetruck", "fire-truck"), and what one does or is says what one does it with ("a surfer", "skiing").
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from negjax.language.lexicon import lexicon, plural_forms
from negjax.language.negation import normalize
from negjax.language.scopes import may_begin_cue
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
    words = _TOKEN.findall(normalize(caption))
    if not _may_be_negated(words):
        present, mentioned = _find_things(words)
        return Extracted(present, (), mentioned)
    parsed = split(caption)
    present, mentioned = _find_things_in(parsed.affirmed)
    if not parsed.negated:
        if parsed.remark.startswith(("not understood", "double negation")):
            return Extracted((), (), mentioned, parsed.remark)
        return Extracted(present, (), mentioned)
    denied: dict[str, None] = {}
    for concept in parsed.negated:
        denied.update(dict.fromkeys(_find_things_in(concept)[0][-1:]))
    _, everything = _find_things(words)
    if contradicted := denied.keys() & set(present):
        return Extracted((), (), everything, f"contradiction: {sorted(contradicted)[0]}")
    return Extracted(present, tuple(denied), everything)


_PLAIN_WORDS: set[str] = set()  # with which no cue begins


def _may_be_negated(words: list[str]) -> bool:
    """Whether a word may begin a cue."""
    if _PLAIN_WORDS.issuperset(words):
        return False
    cues = [word for word in words if word not in _PLAIN_WORDS and may_begin_cue(word)]
    if len(_PLAIN_WORDS) < MAX_WORDS:
        _PLAIN_WORDS.update(set(words).difference(cues))
    return bool(cues)


class _Noun(NamedTuple):
    """What is known of a word that is a noun, begins a name of several words, or says what is used.

    Attributes:
        shown: the name of the thing; "" where the word alone is no noun.
        clear: whether the name shows the thing in a caption.
        plural: whether the word is a plural.
        seconds: the second words of names that it begins, in any number.
        names: the rest of such a name, in any number -> the name in the singular.
        used: the name of what one does something with: a surfboard for "surfer" and "surfing".
    """

    shown: str
    clear: bool
    plural: bool
    seconds: frozenset[str]
    names: dict[str, str]
    used: str


MAX_WORDS = 200_000  # that are remembered: what captions of any number say
_WORDS: dict[str, _Noun | None] = {}


def _find_things_in(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _find_things(_TOKEN.findall(normalize(text)))


def _find_things(tokens: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The things that the words of a normalised text affirm, and all names in it."""
    words = [*tokens, "", "", ""]
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
        shown, clear, plural, seconds, names, used = noun
        end = i + 1
        if words[end] in seconds:
            two = f"{words[end]} {words[end + 1]}"
            rest = two if two in names else words[end]
            if rest in names:
                end += 1 + (rest is two)
                last = _look_up(f"{word} {rest}", names[rest])
                shown, clear, plural, used = last.shown, last.clear, last.plural, last.used
        if used and not (may_be_unreal and _is_unreal(words, i)):
            mentioned[used] = None
            if words[end] not in _NOT_USED:
                present[used] = None
        if not shown:
            continue
        if words[end] == "of" and word in _OF_OTHERS:
            shown, clear, plural, end = _made_of(shown, words, end)
        elif not clear and word in _SETTLED and not _SETTLED[word].by.isdisjoint(words):
            shown, clear = _SETTLED[word].shown, True
        mentioned[shown] = None
        if clear and (plural or not _begins_compound(words[end])) and not (may_be_unreal and _is_unreal(words, i)):
            present[shown] = None
    return tuple(present), tuple(mentioned)


def _remember(word: str) -> _Noun | None:
    """Look a word up in the lexicon, once."""
    things = lexicon()
    names = {form: name for name in things.begun_by(word) for form in plural_forms(name.split(" ", 1)[1])}
    for name in things.joined_with(word) if word not in _COLOURS else ():  # "skate board"
        for form in plural_forms(name[len(word) :]):
            names.setdefault(form, name)
    alone = _look_up(word, things.singular(word))
    seconds = frozenset(form.split(" ", 1)[0] for form in names)
    noun = alone._replace(seconds=seconds, names=names) if alone.shown or names or alone.used else None
    if len(_WORDS) < MAX_WORDS:
        _WORDS[word] = noun
    return noun


def _look_up(text: str, name: str) -> _Noun:
    """What is known of a name that stands in a caption as `text`."""
    things = lexicon()
    meaning = things.names.get(name)
    shown = name if meaning is None else things.main_names[meaning]
    used = _USED.get(text, "") or _USED.get(name, "")
    plural = text.replace(" ", "").replace("-", "") != name.replace(" ", "") or text in _BOTH
    return _Noun(shown, meaning is not None, plural, frozenset(), {}, used)


def _made_of(shown: str, words: list[str], end: int) -> tuple[str, bool, bool, int]:
    """What a name before "of" is: its name, whether it is clear, whether no compound begins with it, and where it ends.

    A glass of wine is a wine glass; a couple of dogs, a family of ducks and a crowd of sheep are no people.
    """
    if shown == "person":
        return shown, False, True, end
    is_wine = words[end + 1] in {"wine", "champagne"}
    return ("wine glass", True, True, end) if is_wine else (shown, False, True, end)


def _begins_compound(following: str) -> bool:
    """Whether a noun in the singular before this word only says of what kind the next noun is: "dog house".

    Verbs are not taken for nouns: those that captions use have an "s" ("a man stands") or are participles ("a man
    cutting"), and the unclear nouns, which may be verbs, count in the singular only.
    """
    if following in _WITH_IT:
        return False
    noun = _WORDS[following] if following in _WORDS else _remember(following)
    if noun is None or not noun.shown:
        return False
    if noun.clear or following in _LIKENESSES:
        return True
    return not (noun.plural or following in _VERBS or following.endswith("ing"))


# Unclear nouns that are verbs or adverbs after a noun: "a man ride", "people play", "a dog back there".
_VERBS = word_set(
    """stand ride play run jump walk look watch back cross top fly left right light hit catch kick swing slide pose
    rest work drive fall head face hold lay low show stop turn dive serve pass game smoke down have set still"""
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


# A green house is no greenhouse.
_COLOURS = word_set("black white red green blue brown grey gray yellow orange pink purple silver gold dark")
_OF_OTHERS = word_set("glass glasses couple couples family families team teams")
_NOT_USED = word_set("the web internet net channels")  # "surfing the web"
# Who does something, and what it is done with.
_USED = {
    form: name
    for name, stems in {
        "ski": "skier skiers skiing",
        "snowboard": "snowboarder snowboarders snowboarding",
        "skateboard": "skateboarder skateboarders skateboarding",
        "surfboard": "surfer surfers surfing",
        "bicycle": "cyclist cyclists bicyclist bicyclists bicycling",
        "motorcycle": "motorcyclist motorcyclists",
        "kayak": "kayaker kayakers kayaking",
        "horse": "horseback",
        "sled": "sledding",
        "clock": "clocktower clocktowers",
    }.items()
    for form in stems.split()
} | {"tennis player": "tennis racket", "clock tower": "clock"}


class _Settled(NamedTuple):
    """What an unclear name shows beside other words: in any one caption a word has one meaning (Yarowsky 1993).

    Attributes:
        shown: the name of the thing.
        by: the words, one of which the caption has.
    """

    shown: str
    by: frozenset[str]


_BASEBALL = word_set("baseball softball catcher umpire swing swings swinging mound inning")
_COMPUTER = word_set("keyboard keyboards computer computers laptop laptops desktop pc")
_SETTLED = {
    form: _Settled(shown, by)
    for forms, shown, by in (
        ("bat bats", "baseball bat", _BASEBALL),
        ("batter batters pitcher pitchers hitter", "baseball player", _BASEBALL),
        ("mouse mice", "computer mouse", _COMPUTER),
        ("plant plants", "potted plant", word_set("pot pots potted vase vases windowsill houseplants")),
        ("pool pools", "swimming pool", word_set("swim swims swimming swimmer swimmers diving lifeguard")),
        ("pan pans", "cooking pan", word_set("stove oven kitchen frying cooking cooks food")),
        ("palm palms", "palm tree", word_set("beach tropical island trees sea ocean")),
        ("screen screens monitor monitors", "computer screen", _COMPUTER),
    )
    for form in forms.split()
}
# After a noun: it is there in part or in number ("pizza slices", "a cow herd", "a cat face"), or takes part in
# what is called after it ("a motorcycle race", "a kite festival").
_WITH_IT = word_set(
    """slice slices piece pieces half halves bunch bunches herd herds flock flocks pie pies pack packs pair pairs
    head heads face faces nose noses eye eyes ear ears mouth neck back leg legs foot feet paw paws tail tails wing wings
    trunk trunks fur horn horns hoof hooves nest handle handles wheel wheels tire tires
    trick tricks race races racing competition competitions contest contests event events show shows festival festivals
    parade parades ride rides tour tours lesson lessons jump jumps crash wreck"""
)

_BREAKS = word_set("and with in on at to from by or is are near next while that which for into over under")
