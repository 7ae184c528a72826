"""Queries for negated retrieval: enough images on both sides of the exclusion, counted from the labels."""

import numpy as np
import pytest

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import build_labels
from negjax.synthesis.queries import build_queries


def made(objects, count: int, least: int, seed: int = 0):
    return build_queries(
        build_labels(objects), count, least, CaptionWriter(np.random.default_rng(seed), held_out=True, medium="photo")
    )


@pytest.mark.parametrize("least", [5, 20])
def test_each_query_has_answers_and_what_it_must_tell_them_from(coco, least):
    found = made(coco, 500, least)
    assert len({(query.includes, query.excludes) for query in found}) == len(found) == 500
    assert [len(query.includes) for query in found] == [1] * 250 + [2] * 250
    shares = []
    for query in found:
        fits = [each for each in coco if each.issuperset(query.includes)]
        excluded = sum(not each.isdisjoint(query.excludes) for each in fits)
        assert excluded >= least
        assert len(fits) - excluded >= least
        shares.append(excluded / len(fits))
        (absent,) = query.excludes
        assert all(name in query.text and name in query.plain for name in query.includes)
        assert absent in query.text
        assert query.plain in query.text
        assert absent not in query.includes
    assert np.mean(shares) > 0.2  # of what answers a query that is not read to its end


def test_one_sort_stands_in_for_the_other():
    images = [{"a"}] * 5 + [{"a", "b"}] * 5 + [{"b"}] * 5
    assert [(each.includes, each.excludes) for each in made(images, 10, 5)] in (
        [(("a",), ("b",)), (("b",), ("a",))],
        [(("b",), ("a",)), (("a",), ("b",))],
    )
    assert made(images, 10, 6) == []
    assert len(made(images, 1, 5)) == 1
    images += [{"a", "b", "c"}] * 5
    found = made(images, 100, 5)
    assert {(each.includes, each.excludes) for each in found} == {
        (("a",), ("b",)),
        (("b",), ("a",)),
        (("a",), ("c",)),
        (("b",), ("c",)),
        (("a", "b"), ("c",)),
    }


def test_names_that_are_alike_exclude_no_one_another():
    assert made([{"bear"}, {"bear", "teddy bear"}, {"teddy bear"}] * 9, 10, 1) == []


def test_the_seed_decides(coco):
    assert made(coco, 30, 5) == made(coco, 30, 5) != made(coco, 30, 5, seed=1)
