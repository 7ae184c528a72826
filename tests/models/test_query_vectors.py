"""Queries as unit vectors and as scores, against the towers run one text at a time and the methods' formulas."""

import numpy as np
import pytest
from support.models import tiny_model
from support.trees import unit

from negjax.errors import NegjaxError
from negjax.negation.table import METHODS

FITTED = [name for name in METHODS if name != "steering"]  # which needs directions of its model
QUERIES = ["a beach without people", "a dog", "no umbrella"]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def embed(model, text: str) -> np.ndarray:
    return unit(np.asarray(model.encode_text(model.tokenizer([text]))[0], np.float64))


def test_a_query_that_denies_nothing_is_the_text_towers_vector(model):
    for negation in ("none", "space", "projection"):
        (found,) = model.encode_query("a dog", negation=negation)
        np.testing.assert_allclose(found, embed(model, "a dog"), atol=1e-6)
    np.testing.assert_allclose(model.encode_query(QUERIES)[2], embed(model, "no umbrella"), atol=1e-6)


def test_negated_queries_follow_the_formula(model):
    found = model.encode_query(QUERIES, negation="subtract,weight=0.7")
    beach = embed(model, "a beach") - 0.7 * embed(model, "A photo of people")
    umbrella = embed(model, "A photo of something") - 0.7 * embed(model, "A photo of an umbrella")
    np.testing.assert_allclose(found, [unit(beach), embed(model, "a dog"), unit(umbrella)], atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("method", ["none", *FITTED])
def test_any_query_is_answered(model, method):
    queries = [
        "",
        "x" * 10_000,
        "a dog without a dog",
        "海滩上没有人",
        "no dog",
        "neither a dog nor a cat",
        "beach -people",
    ]
    scores = model.score(queries, np.eye(3, model.config.embed_dim, dtype=np.float32), negation=method)
    assert scores.shape == (7, 3)
    assert np.isfinite(scores).all()
    if method == "none" or METHODS[method].is_one_vector:
        vectors = model.encode_query(queries, negation=method)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        if method == "context":  # its scores are these cosines, stretched and shifted for each query
            scores = scores - scores.mean(axis=1, keepdims=True)
            cosines = vectors[:, :3] - vectors[:, :3].mean(axis=1, keepdims=True)
            factor_Q1 = (scores * cosines).sum(axis=1, keepdims=True) / (cosines**2).sum(axis=1, keepdims=True)
            assert (factor_Q1 > 0).all()
            np.testing.assert_allclose(factor_Q1 * cosines, scores, atol=1e-6)
        else:
            np.testing.assert_allclose(vectors[:, :3], scores, atol=1e-6)


def test_images_may_be_pixels_or_embeddings(model):
    size = model.config.vision.image_size
    pixels = np.random.default_rng(0).integers(256, size=(5, size, size, 3), dtype=np.uint8)
    scores = model.score(QUERIES, pixels, negation="lcse")
    np.testing.assert_allclose(scores, model.score(QUERIES, list(pixels), negation="lcse"), atol=1e-6)
    embeddings = np.asarray(model.encode_image(pixels))
    np.testing.assert_allclose(scores, model.score(QUERIES, embeddings * 3, negation="lcse"), atol=1e-6)
    forms = ("an umbrella", "a photo of an umbrella", "an image of an umbrella", "an umbrella in the image")
    image = unit(embeddings[1])
    concept = np.mean([embed(model, form) @ image for form in forms])
    assert scores[2, 1] == pytest.approx(embed(model, "no umbrella") @ image - 2 * (concept - 0.22), abs=1e-5)
    assert model.score([], pixels).shape == (0, 5)
    assert model.score(QUERIES, pixels[:0]).shape == (3, 0)


def test_mistakes(model):
    with pytest.raises(NegjaxError, match=r"lcse scores images with several vectors .* use model.score, or one of sub"):
        model.encode_query("no dog", negation="lcse")
    with pytest.raises(NegjaxError, match="unknown negation method 'spice'"):
        model.score("no dog", np.zeros((1, 2)), negation="spice")
    with pytest.raises(TypeError, match="queries are strings, not int"):
        model.encode_query(["a dog", 3])
    with pytest.raises(TypeError, match="embeddings have 7 numbers"):
        model.score("a dog", np.zeros((2, 7), np.float32))
