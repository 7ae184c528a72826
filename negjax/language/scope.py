"""The part of a caption that a cue denies."""

from dataclasses import dataclass

from negjax.language import words as w
from negjax.language.nominals import Range
from negjax.language.tokens import Tokens

_LONGEST_CLAUSE = 60  # words


@dataclass(slots=True)
class Scope:
    """A part of a caption that is denied.

    Attributes:
        start: the first word to cut.
        stop: the first word after the cut.
        concepts: the denied concepts, without articles.
        kept: words inside the cut that stay: "none of THE MEN wear hats".
    """

    start: int
    stop: int
    concepts: list[str]
    kept: Range | None = None

    @property
    def cuts(self) -> list[Range]:
        """The word ranges to cut."""
        if self.kept is None:
            return [(self.start, self.stop)]
        return [(self.start, self.kept[0]), (self.kept[1], self.stop)]


def has_content(words: tuple[str, ...], start: int, stop: int) -> bool:
    """Whether words say more than that there is a picture; of long stretches the end is looked at."""
    return not w.EMPTY.issuperset(words[max(start, stop - _LONGEST_CLAUSE) : stop])


def concepts_of(t: Tokens, names: list[Range]) -> list[str]:
    """The texts of names. A colour alone takes the noun of the last: "red or blue cars" are "red cars", "blue cars"."""
    texts = [bare_name(t, start, stop) for start, stop in names]
    if len(names) > 1:
        last, end = names[-1]
        if t.words[last] in w.LOOKS and end - last > 1:
            noun = t.slice(end - 1, end)
            texts = [
                f"{text} {noun}" if stop - start == 1 and t.words[start] in w.LOOKS else text
                for text, (start, stop) in zip(texts, names)
            ]
    return texts


def bare_name(t: Tokens, start: int, stop: int) -> str:
    """A name without the capital that it has only as the first word of a sentence."""
    name = t.slice(start, stop)
    if name.isupper() and t.text.isupper():
        return name.lower()
    if start and t.words[start - 1] not in w.SENTENCE_END:
        return name
    rest = name.split(" ", 1)[0][1:]
    return name[0].lower() + name[1:] if rest and rest == rest.lower() else name
