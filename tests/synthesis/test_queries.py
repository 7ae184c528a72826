"""Queries for negated retrieval: enough images on both sides of the exclusion, counted from the labels."""

import numpy as np
import pytest

from negjax.language.nouns import plural_name
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import build_labels
from negjax.synthesis.queries import build_queries


def make_queries(objects, count: int, least: int, seed: int = 0):
    return build_queries(
        build_labels(objects), count, least, CaptionWriter(np.random.default_rng(seed), held_out=True, medium="photo")
    )


@pytest.mark.parametrize("least", [5, 20])
def test_enough_images_answer_each_query_and_enough_only_break_its_exclusion(coco, least):
    queries = make_queries(coco, 500, least)
    assert len({(query.includes, query.excludes) for query in queries}) == len(queries) == 500
    assert [len(query.includes) for query in queries] == [1] * 250 + [2] * 250
    shares = []
    for query in queries:
        fits = [objects for objects in coco if objects.issuperset(query.includes)]
        excluded = sum(not objects.isdisjoint(query.excludes) for objects in fits)
        assert excluded >= least
        assert len(fits) - excluded >= least
        shares.append(excluded / len(fits))
        (absent,) = query.excludes
        assert all(name in query.text and name in query.plain for name in query.includes)
        assert absent in query.text or plural_name(absent) in query.text
        assert query.plain in query.text
        assert absent not in query.includes
    assert np.mean(shares) > 0.2  # of the images that fit the included objects


def test_queries_of_one_size_replace_missing_ones_of_the_other():
    images = [{"a"}] * 5 + [{"a", "b"}] * 5 + [{"b"}] * 5
    assert [(query.includes, query.excludes) for query in make_queries(images, 10, 5)] in (
        [(("a",), ("b",)), (("b",), ("a",))],
        [(("b",), ("a",)), (("a",), ("b",))],
    )
    assert make_queries(images, 10, 6) == []
    assert len(make_queries(images, 1, 5)) == 1
    images += [{"a", "b", "c"}] * 5
    queries = make_queries(images, 100, 5)
    assert {(query.includes, query.excludes) for query in queries} == {
        (("a",), ("b",)),
        (("b",), ("a",)),
        (("a",), ("c",)),
        (("b",), ("c",)),
        (("a", "b"), ("c",)),
    }


def test_names_that_are_alike_exclude_no_one_another():
    assert make_queries([{"bear"}, {"bear", "teddy bear"}, {"teddy bear"}] * 9, 10, 1) == []


def test_the_seed_decides(coco):
    assert make_queries(coco, 30, 5) == make_queries(coco, 30, 5) != make_queries(coco, 30, 5, seed=1)
