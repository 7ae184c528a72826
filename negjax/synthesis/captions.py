"""Captions from labels: a sentence pattern, filled in with what is there and what is not."""

from collections.abc import Sequence

import numpy as np

from negjax.language.phrases import a, be, continued, listing
from negjax.synthesis.patterns import (
    ABSENT,
    AFFIRMATIVE,
    NEGATION_FIRST,
    NEGATION_LAST,
    NEITHER,
    OPENERS,
    UNNEGATED,
    WOVEN,
    Medium,
    Patterns,
    said_of,
)


def fill(pattern: str, present: Sequence[str] = (), absent: Sequence[str] = (), **words: str) -> str:
    """The pattern with the names in its places. See `negjax.synthesis.patterns` for the places."""
    if present:
        words |= {"P": listing(present), "is": be(present[0]) if len(present) == 1 else "are"}
    for key, name in zip("NM", absent):
        words |= {key: name, f"a_{key}": a(name), f"{key}_is": be(name)}
    return pattern.format(**words)


class Writer:
    """Writes captions with patterns drawn at random: the training part or the held-out part of each kind.

    medium: what the sentences may call the image, "drawing" or "photo".
    """

    def __init__(self, rng: np.random.Generator, held_out: bool, medium: Medium = "drawing"):
        self.rng = rng
        self.held_out = held_out
        self.medium = medium

    def affirmative(self, present: Sequence[str]) -> str:
        """A caption that names what is there, in random order."""
        return fill(self._draw(AFFIRMATIVE), self.shuffled(present))

    def negating(self, present: Sequence[str], absent: str) -> str:
        """A caption that names what is there, in random order, and one thing that is not, named first or last."""
        return fill(self._draw(self._negating()), self.shuffled(present), [absent])

    def negating_and_plain(self, present: Sequence[str], absent: str) -> tuple[str, str]:
        """A caption like those of `negating`, and the same less the absent thing; of the held-out part only."""
        pattern, names = self._choose(self._negating()), self.shuffled(present)
        return fill(pattern, names, [absent]), fill(UNNEGATED[pattern], names)

    def absent(self, absent: str) -> str:
        """A caption that says only that one thing is not there."""
        return fill(self._draw(ABSENT), absent=[absent])

    def neither(self, absent: Sequence[str]) -> str:
        """A caption that says only that two things are not there, in random order."""
        return fill(self._draw(NEITHER), absent=self.shuffled(absent))

    def woven(self, caption: str, absent: str) -> str:
        """A caption of somebody else with one absent thing woven in, before or after it."""
        caption = caption.strip().rstrip(".").rstrip()
        pattern = WOVEN[self.rng.integers(len(WOVEN))]
        return fill(pattern, absent=[absent], caption=caption, continued=continued(caption))

    def shuffled(self, names: Sequence[str]) -> list[str]:
        """The names in random order."""
        return [names[i] for i in self.rng.permutation(len(names))]

    def _negating(self) -> Patterns:
        return NEGATION_FIRST if self.rng.integers(2) else NEGATION_LAST

    def _draw(self, patterns: Patterns) -> str:
        return self._choose(OPENERS) + self._choose(patterns)

    def _choose(self, patterns: Patterns) -> str:
        fitting = said_of(patterns, self.medium)
        choices = fitting.held_out if self.held_out else fitting.train
        return choices[self.rng.integers(len(choices))]
