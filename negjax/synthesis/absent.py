"""Absent objects that one could expect in an image: from what occurs together, with how likely each is there after all.

What captions do not mention may be there all the same. With q the share of the images with the same objects that
mention object n, and m the share of the images with n that do not mention it, the prevalence is q / (1 - m), so that
an image that does not mention n holds it with the probability

    risk = q / (1 - q) * m / (1 - m).

m is estimated from images with several captions: f1 images in which one caption mentions n and f2 in which two do
give f1^2 / (2 f2) images in which none does (Chao, 1987). Rare objects, and images with one caption, get what was
measured on COCO, where one caption names 44 % of the labelled objects and five name 60 %. On COCO's captions alone,
.63 % of the objects proposed at a risk of at most .01 are labelled after all (.95 % with one caption an image).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from negjax.language.lexicon import lexicon
from negjax.language.words import word_set

MAX_NAMES = 2_000  # the most frequent objects are candidates
LEAST_IMAGES = 5  # with an object, for it to be a candidate
NAMED_SHARE = {1: 0.44, 5: 0.60}  # of the labelled objects, by the number of captions, on COCO
PRIOR_IMAGES = 10.0  # weight of the overall share of an object beside the images of one object
# Background, clothes and what is too general: they are nearly everywhere, or cannot be denied for sure.
_NEVER_DENIED = word_set(
    """wall floor ceiling sky window door roof room ground shadow air fabric paper area top surface building
    structure clothing food water grass sand dirt street road sidewalk field tree sign light person animal
    plant hand picture toy equipment furniture vegetable fruit leaf wood metal stone rock table city town
    scene land hill cloth kitchen bathroom house shelf glove necklace container device uniform outfit costume
    shirt box background place park yard decoration fixture hanging walkway beverage system part tool luggage
    controller"""
) | {"body of water", "hind leg"}

_KINDS_NEVER_DENIED = ("clothing", "footwear", "jewelry")


@dataclass(frozen=True)
class Proposal:
    """An absent object. risk: the estimated probability that the image holds it all the same. expected: how often
    images with the same objects mention it."""

    name: str
    risk: float
    expected: float


@dataclass
class Names:
    """The candidates, and which of them other names speak of.

    Attributes:
        names: the candidates, at most MAX_NAMES.
        people: the numbers of those that are people.
        background: the numbers of those that captions do not mention wherever they are.
    """

    names: tuple[str, ...]
    _general: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _related: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        things = lexicon()
        self._below: dict[int, set[int]] = {}  # meaning -> candidates that are kinds of it
        self._parts: dict[int, set[int]] = {}  # meaning -> candidates that are parts of it
        self._words: dict[str, set[int]] = {}
        for n, name in enumerate(self.names):
            for word in name.split():
                self._words.setdefault(word, set()).add(n)
            for meaning in things.general(things.names[name]) if name in things.names else ():
                self._below.setdefault(meaning, set()).add(n)
                for whole in things.wholes[meaning]:
                    self._parts.setdefault(whole, set()).add(n)
        self.people = sorted(self._below.get(things.person, ()))
        worn = set().union(*(self._below.get(things.names[name], ()) for name in _KINDS_NEVER_DENIED))
        self.background = [n for n, name in enumerate(self.names) if name in _NEVER_DENIED or n in worn]
        self._index = {name: n for n, name in enumerate(self.names)}
        self._by_meaning = {things.names[name]: n for name, n in self._index.items() if name in things.names}

    def general(self, name: str) -> tuple[int, ...]:
        """The candidates that an image with this object holds: itself and what is more general."""
        if name not in self._general:
            things = lexicon()
            above = things.general(things.names[name]) if name in things.names else frozenset()
            held = {self._by_meaning[meaning] for meaning in above if meaning in self._by_meaning}
            self._general[name] = tuple(sorted(held | ({self._index[name]} if name in self._index else set())))
        return self._general[name]

    def related(self, name: str) -> tuple[int, ...]:
        """The candidates that must not be denied beside this object; see `Lexicon.related`."""
        if name not in self._related:
            things = lexicon()
            meanings = (things.names[name],) if name in things.names else things.unclear.get(name, ())
            found = set(self.general(name))
            for meaning in meanings:
                above = things.general(meaning)
                found |= self._below.get(meaning, set())
                found |= {self._by_meaning[m] for m in above if m in self._by_meaning}
                found |= self._below.get(things.person, set()) if things.person in above else set()
                for m in above:
                    found |= self._parts.get(m, set())
                    for whole in things.wholes[m]:
                        found |= self._below.get(whole, set())
            words = set(name.split())
            for n in set().union(*(self._words.get(word, set()) for word in words)):
                others = set(self.names[n].split())
                if words <= others or others <= words:
                    found.add(n)
            self._related[name] = tuple(sorted(found))
        return self._related[name]


@dataclass(frozen=True)
class Occurrences:
    """What occurs together in a collection of captions or labels.

    Attributes:
        candidates: the N names.
        images: the number of images.
        together_NN: the number of images that hold both objects; on the diagonal, that hold the object.
        missed_odds_N: m / (1 - m) of each object; 0 for labels, which miss nothing.
    """

    candidates: Names
    images: int
    together_NN: NDArray[np.int64]
    missed_odds_N: NDArray[np.float64]


def choose_names(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Choose the candidates, in the order of their frequency.

    Args:
        counts: the number of images of each name.
    """
    frequent = sorted((-count, name) for name, count in counts.items() if count >= LEAST_IMAGES)
    return tuple(name for _, name in frequent[:MAX_NAMES])


def count_occurrences(
    names: Sequence[str], images: Iterable[tuple[Sequence[str], Sequence[int], int]], *, complete: bool
) -> Occurrences:
    """Count what occurs together.

    Args:
        names: the candidates.
        images: of each image its objects, how many of its captions mention each, and its number of captions.
        complete: whether the objects are complete labels.
    """
    candidates = Names(tuple(names))
    together_NN = np.zeros((len(names), len(names)), np.int64)
    once_N, twice_N = np.zeros(len(names)), np.zeros(len(names))
    several, captions, total = 0, 0, 0
    for objects, mentions, caption_count in images:
        held = sorted({n for name in objects for n in candidates.general(name)})
        together_NN[np.ix_(held, held)] += 1
        total, captions = total + 1, captions + caption_count
        if caption_count > 1:
            several += 1
            times: dict[int, int] = {}
            for name, count in zip(objects, mentions):
                for n in candidates.general(name):
                    times[n] = max(times.get(n, 0), count)
            for n, count in times.items():
                once_N[n] += count == 1
                twice_N[n] += count == 2
    if complete:
        return Occurrences(candidates, total, together_NN, np.zeros(len(names)))
    named = np.interp(captions / max(total, 1), list(NAMED_SHARE), list(NAMED_SHARE.values()))
    usual_odds = (1 - named) / named
    odds_N = np.full(len(names), usual_odds)
    if several > total / 2:
        unseen_N = once_N**2 / (2 * np.maximum(twice_N, 1))
        odds_N = (unseen_N + PRIOR_IMAGES * usual_odds) / (together_NN.diagonal() + PRIOR_IMAGES)
    return Occurrences(candidates, total, together_NN, odds_N)


def propose(
    present: Sequence[str],
    mentioned: Iterable[str],
    occurrences: Occurrences,
    *,
    count: int,
    max_risk: float,
    temperature: float,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Propose absent objects of an image.

    Args:
        present: its objects.
        mentioned: all names that its captions contain in any way: none of these, no kind or part of them, nothing
            more general, and no other person beside a person is proposed.
        occurrences: what occurs together.
        count: the largest number of proposals.
        max_risk: the largest risk.
        temperature: of the draw by how expected objects are: near 0 the most expected ones, large for any.
        rng: draws.

    Returns:
        The proposals, the most expected ones first.
    """
    candidates = occurrences.candidates
    number_N = occurrences.together_NN.diagonal()
    share_N = number_N / max(occurrences.images, 1)
    held = sorted({n for name in present for n in candidates.general(name)})
    expected_N = share_N
    if held:
        share_PN = (occurrences.together_NN[held] + PRIOR_IMAGES * share_N) / (number_N[held, None] + PRIOR_IMAGES)
        expected_N = share_PN.mean(0)
    # The risk by the object that makes n most likely: a plate beside a fork, whatever else is there.
    likeliest_N = share_PN.max(0) if held else share_N
    risk_N = np.minimum(likeliest_N / np.maximum(1 - likeliest_N, 1e-9) * occurrences.missed_odds_N, 1)
    if candidates.people:  # who may be called many things: nobody is denied where anybody may be
        risk_N[candidates.people] = risk_N[candidates.people].max()
    allowed_N = (risk_N <= max_risk) & (expected_N > 0)
    if occurrences.missed_odds_N.any():
        allowed_N[candidates.background] = False
    for name in (*present, *mentioned):
        allowed_N[list(candidates.related(name))] = False
    possible = np.flatnonzero(allowed_N)
    if not len(possible):
        return []
    # Gumbel noise on the logarithm of the weights draws without replacement.
    score_N = np.log(expected_N[possible]) / temperature + rng.gumbel(size=len(possible))
    drawn = possible[np.argsort(-score_N, kind="stable")]
    chosen: list[int] = []
    for n in drawn:
        name = candidates.names[n]
        if not any(n in candidates.related(candidates.names[other]) for other in chosen):
            chosen.append(int(n))
        if len(chosen) == count:
            break
    chosen.sort(key=lambda n: -expected_N[n])
    return [Proposal(candidates.names[n], float(risk_N[n]), float(expected_N[n])) for n in chosen]
