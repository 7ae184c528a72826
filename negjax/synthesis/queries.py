"""Queries for negated retrieval over labelled images: the objects that an image must hold, and one it must not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels


@dataclass(frozen=True)
class ExclusionQuery:
    """A text query for images with some objects and without others.

    Attributes:
        text: the query.
        plain: the same query without the excluded objects.
        includes: names of the objects that a right image holds.
        excludes: names of the objects that a right image lacks.
    """

    text: str
    plain: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]


def build_queries(labels: ObjectLabels, count: int, least: int, writer: CaptionWriter) -> list[ExclusionQuery]:
    """Build different queries, half of them for one object and half for two, each excluding one other object.

    A query is possible where at least `least` images answer it, and at least `least` others hold all that it includes
    but also what it excludes. The more even the two numbers, the likelier the query is drawn, because ignoring the
    exclusion then costs most.

    Args:
        labels: the labels of the images.
        count: the largest number of queries.
        least: the smallest number of images with and without the excluded object.
        writer: writes the queries in held-out patterns, and draws.
    """
    single, double = (list(_list_candidates(labels, size, least)) for size in (1, 2))
    single_count = min(len(single), max(count - count // 2, count - len(double)))
    chosen = _draw(single, single_count, writer.rng) + _draw(double, count - single_count, writer.rng)
    return [
        ExclusionQuery(*writer.write_negated_and_plain(includes, absent), includes, (absent,))
        for includes, absent in chosen
    ]


_Objects = tuple[tuple[str, ...], str]  # included objects, excluded object


def _list_candidates(labels: ObjectLabels, size: int, least: int) -> Iterator[tuple[_Objects, float]]:
    """List the possible queries that include `size` objects, with their weights."""
    cooccurrence_NN = labels.cooccurrence_NN
    frequent_NN = (cooccurrence_NN >= 2 * least) & ~labels.similar_NN
    frequent_objects = np.flatnonzero(cooccurrence_NN.diagonal() >= 2 * least)[:, None]
    for included in frequent_objects if size == 1 else np.argwhere(np.triu(frequent_NN, 1)):
        total = cooccurrence_NN[included[0], included[-1]]
        if size == 1:
            with_N = cooccurrence_NN[included[0]]
        else:
            with_N = labels.present_IN[labels.present_IN[:, included].all(1)].sum(0)
        fewer_N = np.minimum(with_N, total - with_N)
        similar_N = labels.similar_NN[included].any(0)
        for n in np.flatnonzero((fewer_N >= least) & ~similar_N):
            yield (tuple(labels.names[m] for m in included), labels.names[n]), fewer_N[n] / total


def _draw(candidates: list[tuple[_Objects, float]], count: int, rng: np.random.Generator) -> list[_Objects]:
    """Draw up to `count` different candidates by weight."""
    weights = np.array([weight for _, weight in candidates])
    count = min(count, len(candidates))
    if not count:
        return []
    return [candidates[i][0] for i in rng.choice(len(candidates), count, replace=False, p=weights / weights.sum())]
