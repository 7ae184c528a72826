"""Searches in words and pictures, against scores that are made one by one."""

import numpy as np
import pytest
from support.folders import fill
from support.models import tiny_model
from support.trees import unit

from negjax.errors import NegjaxError
from negjax.search.request import SearchRequest, compose_query, read_query
from negjax.search.results import best_results, to_json
from negjax.search.searcher import Searcher

QUERY = "a beach without people"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory, model, make_index) -> Searcher:
    folder = tmp_path_factory.mktemp("searched")
    return Searcher(make_index(fill(folder / "photos", 30), folder / "index").index, model)


def embed(searcher: Searcher, text: str) -> np.ndarray:
    model = searcher.model
    return unit(model.encode_text(model.tokenizer([text]))[0])


@pytest.mark.parametrize("negation", ["none", "subtract,weight=0.7", "space", "projection", "deo", "lcse"])
def test_scores_are_those_of_the_model(searcher, negation):
    found = searcher.scores(SearchRequest(read_query(QUERY), negation))
    expected = searcher.model.score(QUERY, np.array(searcher.index.vector_NE), negation)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_method_that_reads_images_ranks_as_the_model_does(searcher):
    found = searcher.scores(SearchRequest(read_query(QUERY), "context"))
    expected = searcher.model.score(QUERY, np.array(searcher.index.vector_NE), "context")[0]
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=1e-6)


def test_the_strength_of_exclusion(searcher):
    vector_NE = np.array(searcher.index.vector_NE, np.float64)
    beach, people = embed(searcher, "a beach"), embed(searcher, "A photo of people")
    subtracted = unit(beach - 0.7 * people)
    for strength in (0.0, 0.5, 1.0, 2.0):
        request = SearchRequest(read_query(QUERY), "subtract,weight=0.7", strength)
        expected = vector_NE @ (beach + strength * (subtracted - beach))
        np.testing.assert_allclose(searcher.scores(request), expected, atol=1e-6)


def test_pictures_to_be_like_and_not_to_be_like(searcher):
    index = searcher.index
    vector_NE = np.array(index.vector_NE, np.float64)
    images = [f"{index.info.folder}/{index.file_path(row)}" for row in (4, 9)]
    like, unlike = map(searcher.embed_image, images)
    np.testing.assert_allclose(like, vector_NE[4], atol=1e-6)
    request = SearchRequest(read_query("a dog"), "deo", 0.8, [like], [unlike])
    expected = vector_NE @ (embed(searcher, "a dog") + like - 0.5 * 0.8 * unlike)
    np.testing.assert_allclose(searcher.scores(request), expected, atol=1e-6)
    results = best_results(searcher, SearchRequest(None, like=[like]), 3)
    assert results.row_K[0] == 4
    assert results.score_K[0] == pytest.approx(1, abs=1e-6)
    assert to_json(results)["query"] is None


def test_parts_that_a_user_chose_are_read_as_a_query():
    read = read_query(QUERY)
    composed = compose_query(["a beach"], ["people"])
    assert (composed.caption, composed.affirmed, composed.negated) == (QUERY, read.affirmed, read.negated)
    assert composed.operator == read.operator == "but_not"
    assert compose_query([], ["dogs"]) == read_query("no dogs")
    assert compose_query(["a dog", "a cat"], []).concepts == ("dog", "cat")
    three = compose_query(["a street without cars"], ["people", " ", "people", "dogs"])
    assert (three.affirmed, three.negated) == ("a street", ("cars", "people", "dogs"))
    assert compose_query([], ["dogs", "cats"]).operator == "neither"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: read_query("  "), "the query is blank"),
        (lambda: read_query("x" * 1001), "1,001 characters"),
        (lambda: compose_query([], []), "the query is blank"),
        (lambda: compose_query(["x" * 999], ["people"]), "characters: write at most 1,000"),
        (lambda: compose_query(["a"], list("abcdefghijklmnopqrstuvwxyz")), "26 parts are excluded"),
        (lambda: SearchRequest(None), "nothing is asked"),
        (lambda: SearchRequest(read_query("a"), strength=float("nan")), "strength is nan"),
        (lambda: SearchRequest(read_query("a"), strength=-1), "strength is -1"),
    ],
)
def test_what_cannot_be_searched(make, message):
    with pytest.raises(NegjaxError, match=message):
        make()


def test_the_best_results(searcher):
    score_N = searcher.scores(SearchRequest(read_query(QUERY)))
    results = best_results(searcher, SearchRequest(read_query(QUERY)), 5)
    order = sorted(range(30), key=lambda row: (-score_N[row], row))[:5]
    assert results.row_K.tolist() == order
    assert results.paths == [searcher.index.file_path(row) for row in order]
    assert results.reading() == ["asked: a beach; excluded: people (subtract, weight 0.5)"]


def test_an_index_of_another_model_is_refused(searcher):
    with pytest.raises(NegjaxError, match="another model"):
        Searcher(searcher.index, tiny_model(1))
