"""Queries for negated retrieval over labelled images: what an image shall hold, and what it shall not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from negjax.synthesis.captions import Writer
from negjax.synthesis.labels import Labels


@dataclass(frozen=True)
class Query:
    """`text` asks for images with all of `includes` and none of `excludes`; `plain` is the same less the exclusion."""

    text: str
    plain: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]


def queries(labels: Labels, count: int, least: int, writer: Writer) -> list[Query]:
    """Up to `count` different queries: half of them for one object, half for two, each without one other.

    A query is made only where at least `least` images answer it and at least `least` hold all that it includes and
    what it excludes as well. The more even the two, the likelier it is drawn: then to ignore the exclusion costs most.
    """
    single, double = (list(_candidates(labels, size, least)) for size in (1, 2))
    ones = min(len(single), max(count - count // 2, count - len(double)))
    chosen = _draw(single, ones, writer.rng) + _draw(double, count - ones, writer.rng)
    return [Query(*writer.negating_and_plain(includes, absent), includes, (absent,)) for includes, absent in chosen]


Candidate = tuple[tuple[tuple[str, ...], str], float]


def _candidates(labels: Labels, size: int, least: int) -> Iterator[Candidate]:
    """What may be asked: (included objects, excluded object) and its weight."""
    together_NN = labels.together_NN
    often_NN = (together_NN >= 2 * least) & ~labels.alike_NN
    of_one = np.flatnonzero(together_NN.diagonal() >= 2 * least)[:, None]
    for included in of_one if size == 1 else np.argwhere(np.triu(often_NN, 1)):
        total = together_NN[included[0], included[-1]]
        with_N = together_NN[included[0]] if size == 1 else labels.holds_IN[labels.holds_IN[:, included].all(1)].sum(0)
        fewer_N = np.minimum(with_N, total - with_N)
        alike_N = labels.alike_NN[included].any(0)
        for n in np.flatnonzero((fewer_N >= least) & ~alike_N):
            yield (tuple(labels.names[m] for m in included), labels.names[n]), fewer_N[n] / total


def _draw(candidates: list[Candidate], count: int, rng: np.random.Generator) -> list[tuple[tuple[str, ...], str]]:
    weights = np.array([weight for _, weight in candidates])
    count = min(count, len(candidates))
    if not count:
        return []
    return [candidates[i][0] for i in rng.choice(len(candidates), count, replace=False, p=weights / weights.sum())]
