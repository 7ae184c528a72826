"""The lexicon of things: nouns for objects, people, animals, plants and food, their synonyms, kinds and parts.

It is a part of WordNet 3.1, made by `tools/make_lexicon.py`, and read at the first call. A *meaning* is the number of a
WordNet synset in the file.
"""

import lzma
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import islice, takewhile

from negjax.language.words import word_set

_IRREGULAR_WORDS = """
men:man women:woman children:child people:person mice:mouse geese:goose teeth:tooth feet:foot
knives:knife wives:wife wolves:wolf shelves:shelf leaves:leaf loaves:loaf scarves:scarf calves:calf halves:half
oxen:ox dice:die cacti:cactus buses:bus busses:bus doggies:doggy pants:pants glasses:glasses cookies:cookie
movies:movie zombies:zombie ties:tie pies:pie potatoes:potato tomatoes:tomato
"""
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_WORDS.split())
# Shapes that end in "s" and are no plurals of a shorter noun.
_NO_PLURALS = word_set("glass grass dress bus cross class mattress canvas gas lens species series is was has his this")

_OTHER_NOUNS = word_set("surf air motor sun snow rain foot wind water")  # that begin names of one word


@dataclass(frozen=True)
class Lexicon:
    """Nouns for things.

    Attributes:
        names: name -> the meaning that it shows in a caption; names of several words too. Names that mostly mean
            something else in captions ("bat", "light") are in `unclear` instead.
        unclear: such names -> the meanings that they may have.
        main_names: the usual name of each meaning; "" for a meaning that no name shows.
        hypernyms: of each meaning, the more general meanings one step above.
        wholes: of each meaning, what it is a part of.
    """

    names: dict[str, int]
    unclear: dict[str, tuple[int, ...]]
    main_names: tuple[str, ...]
    hypernyms: tuple[tuple[int, ...], ...]
    wholes: tuple[tuple[int, ...], ...]

    @cached_property
    def _phrases(self) -> dict[str, list[str]]:
        phrases: dict[str, list[str]] = {}
        for name in (*self.names, *self.unclear):
            if " " in name:
                phrases.setdefault(name.split(" ", 1)[0], []).append(name)
        return phrases

    def begun_by(self, word: str) -> list[str]:
        """The names of several words that begin with a word."""
        return self._phrases.get(word, [])

    @cached_property
    def _joined(self) -> dict[str, str]:
        """Names of several words as one: "firetruck" -> "fire truck"."""
        several = (name for name in (*self.unclear, *self.names) if " " in name)
        return {joined: name for name in several if (joined := name.replace(" ", "")) not in self.names}

    @cached_property
    def _single(self) -> list[str]:
        return sorted(name for name in self.names if " " not in name)

    def joined_with(self, word: str) -> list[str]:
        """The names of one word that begin with a noun: those of "skate" are "skateboard" and "skateboarder".

        What follows in the name has three letters or more, and the word is a noun ("her ring" is no herring).
        """
        if len(word) < 3 or not (word in self.names or word in self.unclear or word in _OTHER_NOUNS):
            return []
        first = bisect_left(self._single, word)
        names = takewhile(lambda name: name.startswith(word), islice(self._single, first, None))
        return [name for name in names if len(name) >= len(word) + 3]

    @cached_property
    def person(self) -> int:
        """The meaning "person"."""
        return self.names["person"]

    def singular(self, name: str) -> str:
        """The name in the lexicon that a name in any number is: "fire trucks" is "fire truck"; "" for none.

        So are "firetrucks" and "fire-trucks".
        """
        if name in self.names or name in self.unclear:
            return name
        start, space, last = name.rpartition(" ")
        singulars = [start + space + stem for stem in _stems(last)]
        for known in (self.names, self.unclear):
            if found := next((singular for singular in singulars if singular in known), ""):
                return found
        if joined := next((self._joined[form] for form in (name, *singulars) if form in self._joined), ""):
            return joined
        return self.singular(name.replace("-", " ")) or self.singular(name.replace("-", "")) if "-" in name else ""

    def general(self, meaning: int) -> frozenset[int]:
        """A meaning and all that are more general: a dog is a canine, an animal."""
        return _closure(self, meaning)

    def related(self, first: int, second: int) -> bool:
        """Whether one thing may be called, or be seen as a part of, the other, so that no caption may deny it.

        True for the same meaning, kinds of it, parts and wholes, and for any two people: a boy may be called a man.
        """
        above, others = self.general(first), self.general(second)
        if first in others or second in above or (self.person in above and self.person in others):
            return True
        return any(whole in others for m in above for whole in self.wholes[m]) or any(
            whole in above for m in others for whole in self.wholes[m]
        )


def plural_forms(name: str) -> tuple[str, ...]:
    """A name, and what its plural may be: of "woman" also "women"."""
    start, space, last = name.rpartition(" ")
    forms = [last, f"{last}s"]
    if last.endswith("y"):
        forms.append(f"{last[:-1]}ies")
    elif last.endswith(("ch", "sh", "s", "x", "z", "o")):
        forms.append(f"{last}es")
    elif last.endswith("man"):
        forms.append(f"{last[:-2]}en")
    forms += [plural for plural, singular in _IRREGULAR.items() if singular == last]
    return tuple(start + space + form for form in forms)


def _stems(word: str) -> tuple[str, ...]:
    """What a plural may be the plural of."""
    if word in _IRREGULAR:
        return (_IRREGULAR[word],)
    if word.endswith("men"):
        return (f"{word[:-2]}an",)
    if not word.endswith("s") or word.endswith("ss") or word in _NO_PLURALS:
        return ()
    stems = (word[:-1],)
    if word.endswith("ies"):
        return (f"{word[:-3]}y", *stems)
    return (word[:-2], *stems) if word.endswith(("ches", "shes", "sses", "xes", "zes", "oes")) else stems


@cache
def lexicon() -> Lexicon:
    """The lexicon, read at the first call in about a tenth of a second."""
    packed = files("negjax").joinpath("assets/lexicon.txt.xz").read_bytes()
    lines = [line.split("\t") for line in lzma.decompress(packed).decode().split("\n")]
    names: dict[str, int] = {}
    unclear: dict[str, tuple[int, ...]] = {}
    main_names = []
    for meaning, (listed, _, _) in enumerate(lines):
        shown = [name for name in listed.split(",") if not name.startswith("~")]
        main_names.append(shown[0] if shown else "")
        names.update(dict.fromkeys(shown, meaning))
        for name in listed.split(","):
            if name.startswith("~"):
                unclear[name[1:]] = (*unclear.get(name[1:], ()), meaning)
    hypernyms, wholes = (tuple(tuple(map(int, line[part].split())) for line in lines) for part in (1, 2))
    unclear = {name: meanings for name, meanings in unclear.items() if name not in names}
    return Lexicon(names, unclear, tuple(main_names), hypernyms, wholes)


_CLOSURES: dict[int, frozenset[int]] = {}


def _closure(things: Lexicon, meaning: int) -> frozenset[int]:
    if meaning not in _CLOSURES:
        above = frozenset((meaning,)).union(*(_closure(things, hypernym) for hypernym in things.hypernyms[meaning]))
        _CLOSURES[meaning] = above
    return _CLOSURES[meaning]
