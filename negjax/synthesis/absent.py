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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from negjax.language.lexicon import lexicon
from negjax.language.words import word_set

MAX_NAMES = 2_000  # the most frequent objects are candidates
LEAST_IMAGES = 5  # with an object, for it to be a candidate
NAMED_SHARE = {1: 0.44, 5: 0.60}  # of the labelled objects, by the number of captions, on COCO
IMAGES_COUNTED = 2_000  # at a time
PRIOR_IMAGES = 10.0  # weight of the overall share of an object beside the images of one object
# Background, rooms, clothes and what is too general: they are nearly everywhere, or cannot be denied for sure.
_NEVER_DENIED = word_set(
    """wall floor ceiling sky window door roof room ground shadow air fabric paper area top surface building
    structure clothing food water grass sand dirt street road sidewalk field tree sign light person animal
    plant hand picture toy equipment furniture vegetable fruit leaf wood metal stone rock table city town
    scene land hill cloth kitchen bathroom house shelf glove necklace container device uniform outfit costume
    shirt box background place park yard decoration fixture hanging walkway beverage system part tool luggage
    controller"""
) | {"body of water", "hind leg"}

_KINDS_NEVER_DENIED = ("clothing", "footwear", "footgear", "jewelry", "road", "paved surface", "thoroughfare", "room")
_LAST_WORDS_NEVER_DENIED = word_set("wall building field tree street road")  # "stone wall"
# What is there together, or may be called by another name of its line: no caption denies one beside another.
_SCENES = (
    ("water", "body of water", "beach", "shore", "swimming pool", "waterfall"),
    ("mountain", "hill", "cliff", "slope", "valley", "ridge", "hillside", "mountainside"),
    ("ice", "ski slope", "skating rink"),
    ("pier", "boardwalk"),
    ("stairway", "stairs", "railing"),
)


def is_background(name: str) -> bool:
    """Whether captions do not mention an object of this name wherever it is, or cannot deny it for sure."""
    things = lexicon()
    if name in _NEVER_DENIED or name.rpartition(" ")[2] in _LAST_WORDS_NEVER_DENIED:
        return True
    if name not in things.names:
        return False
    return not things.general(things.names[name]).isdisjoint(things.names[kind] for kind in _KINDS_NEVER_DENIED)


class Proposal(NamedTuple):
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
        index: the number of each.
        people: the numbers of those that are people.
        background: the numbers of those that captions do not mention wherever they are.
    """

    names: tuple[str, ...]
    _general: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _related: dict[str, NDArray[np.int64]] = field(default_factory=dict)

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
        self.background = [n for n, name in enumerate(self.names) if is_background(name)]
        self.index = {name: n for n, name in enumerate(self.names)}
        self._by_meaning = {things.names[name]: n for name, n in self.index.items() if name in things.names}
        self._scenes = [{things.names[name] for name in scene if name in things.names} for scene in _SCENES]

    def general(self, name: str) -> tuple[int, ...]:
        """The candidates that an image with this object holds: itself and what is more general."""
        if name not in self._general:
            things = lexicon()
            above = things.general(things.names[name]) if name in things.names else frozenset()
            held = {self._by_meaning[meaning] for meaning in above if meaning in self._by_meaning}
            self._general[name] = tuple(sorted(held | ({self.index[name]} if name in self.index else set())))
        return self._general[name]

    def related(self, name: str) -> NDArray[np.int64]:
        """The numbers of the candidates that must not be denied beside this object; see `Lexicon.related`."""
        if name not in self._related:
            things = lexicon()
            meanings = (things.names[name],) if name in things.names else things.unclear.get(name, ())
            found = set(self.general(name))
            for meaning in meanings:
                above = things.general(meaning)
                found |= self._below.get(meaning, set())
                found |= {self._by_meaning[m] for m in above if m in self._by_meaning}
                found |= self._below.get(things.person, set()) if things.person in above else set()
                for scene in self._scenes:
                    if not scene.isdisjoint(above):
                        found.update(*(self._below.get(m, ()) for m in scene))
                for m in above:
                    found |= self._parts.get(m, set())
                    for whole in things.wholes[m]:
                        found |= self._below.get(whole, set())
            words = set(name.split())
            for n in set().union(*(self._words.get(word, set()) for word in words)):
                others = set(self.names[n].split())
                if words <= others or others <= words:
                    found.add(n)
            self._related[name] = np.array(sorted(found), np.int64)
        return self._related[name]


@dataclass(frozen=True)
class Counts:
    """What was counted in some images; sums of integers, so that parts can be added in any order.

    Attributes:
        images: the number of images.
        captions: the number of their captions.
        several: the number of images with several captions.
        together_NN: the number of images that hold both objects; on the diagonal, that hold the object.
        once_N, twice_N: the numbers of images with several captions of which one, or two, mention the object.
    """

    images: int
    captions: int
    several: int
    together_NN: csr_array
    once_N: NDArray[np.int64]
    twice_N: NDArray[np.int64]

    def __add__(self, other: "Counts") -> "Counts":
        pairs = (getattr(self, name) + getattr(other, name) for name in vars(self))
        return Counts(*pairs)


@dataclass(frozen=True)
class Occurrences:
    """What occurs together in a collection of captions or labels.

    Attributes:
        candidates: the N names.
        images: the number of images.
        together_NN: the number of images that hold both objects; on the diagonal, that hold the object.
        missed_odds_N: m / (1 - m) of each object; 0 for labels, which miss nothing.
        usual_odds: the same of an object of which nothing is known.
    """

    candidates: Names
    images: int
    together_NN: NDArray[np.int64]
    missed_odds_N: NDArray[np.float64]
    usual_odds: float

    @cached_property
    def share_N(self) -> NDArray[np.float64]:
        """The share of the images that hold each object."""
        return self.together_NN.diagonal() / max(self.images, 1)

    @cached_property
    def share_NN(self) -> NDArray[np.float64]:
        """The share of the images with the first object that hold the second, drawn to the share of all images."""
        number_N = self.together_NN.diagonal()
        return (self.together_NN + PRIOR_IMAGES * self.share_N) / (number_N[:, None] + PRIOR_IMAGES)


def choose_names(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Choose the candidates, in the order of their frequency.

    Args:
        counts: the number of images of each name.
    """
    frequent = sorted((-count, name) for name, count in counts.items() if count >= LEAST_IMAGES)
    return tuple(name for _, name in frequent[:MAX_NAMES])


def count_images(candidates: Names, images: Iterable[tuple[Sequence[str], Sequence[int], int]]) -> Counts:
    """Count what occurs together in some images.

    Args:
        candidates: the names.
        images: of each image its objects, how many of its captions mention each, and its number of captions.
    """
    held: list[int] = []
    starts = [0]
    several: list[bool] = []
    times: list[int] = []  # of each object that an image holds, the captions that mention it
    captions = 0
    for objects, mentions, caption_count in images:
        most: dict[int, int] = {}
        for name, count in zip(objects, mentions):
            for n in candidates.general(name):
                most[n] = max(most.get(n, 0), count)
        held += most
        times += most.values()
        starts.append(len(held))
        several.append(caption_count > 1)
        captions += caption_count
    size = len(candidates.names)
    held_H, times_H = np.array(held, np.int64), np.array(times, np.int64)
    is_several_H = np.repeat(several, np.diff(starts)).astype(bool)
    held_IN = csr_array((np.ones(len(held), np.int64), held_H, np.array(starts)), (len(several), size))
    once_N, twice_N = (np.bincount(held_H[is_several_H & (times_H == k)], minlength=size) for k in (1, 2))
    return Counts(len(several), captions, sum(several), held_IN.T @ held_IN, once_N, twice_N)


def conclude(candidates: Names, counts: Counts, *, complete: bool) -> Occurrences:
    """Estimate from counts how many objects captions miss.

    Args:
        candidates: the names.
        counts: of all images.
        complete: whether the objects are complete labels.
    """
    together_NN = counts.together_NN.toarray()
    size = len(candidates.names)
    if complete:
        return Occurrences(candidates, counts.images, together_NN, np.zeros(size), 0.0)
    named = np.interp(counts.captions / max(counts.images, 1), list(NAMED_SHARE), list(NAMED_SHARE.values()))
    usual_odds = (1 - named) / named
    odds_N = np.full(size, usual_odds)
    if counts.several > counts.images / 2:
        unseen_N = counts.once_N**2 / (2 * np.maximum(counts.twice_N, 1))
        odds_N = (unseen_N + PRIOR_IMAGES * usual_odds) / (together_NN.diagonal() + PRIOR_IMAGES)
    return Occurrences(candidates, counts.images, together_NN, odds_N, float(usual_odds))


def count_occurrences(
    names: Sequence[str], images: Iterable[tuple[Sequence[str], Sequence[int], int]], *, complete: bool
) -> Occurrences:
    """Count what occurs together.

    Args:
        names: the candidates.
        images: as in `count_images`.
        complete: whether the objects are complete labels.
    """
    candidates, rest = Names(tuple(names)), iter(images)
    counts = count_images(candidates, islice(rest, IMAGES_COUNTED))
    while (more := count_images(candidates, islice(rest, IMAGES_COUNTED))).images:
        counts += more
    return conclude(candidates, counts, complete=complete)


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
    expected_N, risk_N = estimate(present, occurrences)
    allowed_N = (risk_N <= max_risk) & (expected_N > 0)
    if occurrences.missed_odds_N.any():
        allowed_N[candidates.background] = False
    for name in (*present, *mentioned):
        allowed_N[candidates.related(name)] = False
    possible = np.flatnonzero(allowed_N)
    if not (len(possible) and count):
        return []
    # Gumbel noise on the logarithm of the weights draws without replacement.
    score_N = np.log(expected_N[possible]) / temperature + rng.gumbel(size=len(possible))
    chosen: list[int] = []
    for n in _best_first(possible, score_N, 2 * count):
        if allowed_N[n]:
            chosen.append(n)
            allowed_N[candidates.related(candidates.names[n])] = False
        if len(chosen) == count:
            break
    chosen.sort(key=lambda n: -expected_N[n])
    return [Proposal(candidates.names[n], float(risk_N[n]), float(expected_N[n])) for n in chosen]


def estimate(present: Sequence[str], occurrences: Occurrences) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often images with these objects mention each candidate, and its risk. present: the objects."""
    candidates = occurrences.candidates
    held = sorted({n for name in present for n in candidates.general(name)})
    share_PN = occurrences.share_NN[held] if held else occurrences.share_N[None]
    # The risk by the object that makes n most likely: a plate beside a fork, whatever else is there.
    likeliest_N = share_PN.max(0)
    risk_N = np.minimum(likeliest_N / np.maximum(1 - likeliest_N, 1e-9) * occurrences.missed_odds_N, 1)
    if candidates.people:  # who may be called many things: nobody is denied where anybody may be
        risk_N[candidates.people] = risk_N[candidates.people].max()
    return share_PN.mean(0), risk_N


def _best_first(numbers_K: NDArray[np.int64], score_K: NDArray[np.float64], likely: int) -> Iterator[int]:
    """The numbers by falling score; only the first `likely` ones are sorted unless more are asked for."""
    if likely < len(numbers_K):
        best = np.argpartition(-score_K, likely)[:likely]
        best = best[np.argsort(-score_K[best], kind="stable")]
        yield from numbers_K[best].tolist()
        rest = np.ones(len(numbers_K), bool)
        rest[best] = False
        numbers_K, score_K = numbers_K[rest], score_K[rest]
    yield from numbers_K[np.argsort(-score_K, kind="stable")].tolist()
