"""Captions from labels: a sentence pattern, filled in with what is there and what is not."""

from collections.abc import Sequence

import numpy as np

from negjax.synthesis.patterns import (
    ABSENT,
    AFFIRMATIVE,
    NEGATION_FIRST,
    NEGATION_LAST,
    NEITHER,
    OPENERS,
    Patterns,
)
from negjax.synthesis.phrases import a, listing


def fill(pattern: str, present: Sequence[str] = (), absent: Sequence[str] = ()) -> str:
    """The pattern with the names in its places. See `negjax.synthesis.patterns` for the places."""
    words = {"P": listing(present), "is": "is" if len(present) == 1 else "are"} if present else {}
    for key, name in zip("NM", absent):
        words |= {key: name, f"a_{key}": a(name)}
    return pattern.format(**words)


class Writer:
    """Writes captions with patterns drawn at random: the training part or the held-out part of each kind."""

    def __init__(self, rng: np.random.Generator, held_out: bool):
        self.rng = rng
        self.held_out = held_out

    def affirmative(self, present: Sequence[str]) -> str:
        """A caption that names what is there, in random order."""
        return fill(self._draw(AFFIRMATIVE), self.shuffled(present))

    def negating(self, present: Sequence[str], absent: str) -> str:
        """A caption that names what is there, in random order, and one thing that is not, named first or last."""
        patterns = NEGATION_FIRST if self.rng.integers(2) else NEGATION_LAST
        return fill(self._draw(patterns), self.shuffled(present), [absent])

    def absent(self, absent: str) -> str:
        """A caption that says only that one thing is not there."""
        return fill(self._draw(ABSENT), absent=[absent])

    def neither(self, absent: Sequence[str]) -> str:
        """A caption that says only that two things are not there, in random order."""
        return fill(self._draw(NEITHER), absent=self.shuffled(absent))

    def shuffled(self, names: Sequence[str]) -> list[str]:
        """The names in random order."""
        return [names[i] for i in self.rng.permutation(len(names))]

    def _draw(self, patterns: Patterns) -> str:
        return self._choose(OPENERS) + self._choose(patterns)

    def _choose(self, patterns: Patterns) -> str:
        choices = patterns.held_out if self.held_out else patterns.train
        return choices[self.rng.integers(len(choices))]
