"""Scores of all vectors and the best of them, against brute force."""

import numpy as np
import pytest
from support.trees import unit

from negjax.negation.scorer import CaptionVectors
from negjax.search import exact
from negjax.search.exact import best_rows, score_all


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scores_are_cosines(dtype, monkeypatch):
    monkeypatch.setattr(exact, "SCORED_BYTES", 37 * 4 * 24)  # blocks of 37
    rng = np.random.default_rng(0)
    vector_NE = unit(rng.normal(size=(500, 24))).astype(dtype)
    query_E = unit(rng.normal(size=24)).astype(np.float32)
    found = score_all(vector_NE, CaptionVectors((query_E[None],)))
    np.testing.assert_allclose(found, vector_NE.astype(np.float64) @ query_E, atol=1e-6)
    assert found.dtype == np.float32


def test_methods_that_score_again_get_each_image_s_cosines(monkeypatch):
    monkeypatch.setattr(exact, "SCORED_BYTES", 10 * 4 * 24)
    rng = np.random.default_rng(1)
    vector_NE = unit(rng.normal(size=(45, 24))).astype(np.float32)
    query_KE = unit(rng.normal(size=(3, 24))).astype(np.float32)

    def combine(cosines, caption_index):
        assert (caption_index == 0).all()
        return cosines[..., 0] - np.maximum(cosines[..., 1], cosines[..., 2])

    found = score_all(vector_NE, CaptionVectors(tuple(query_KE[:, None]), combine))
    cosine_NK = vector_NE.astype(np.float64) @ query_KE.T
    np.testing.assert_allclose(found, cosine_NK[:, 0] - cosine_NK[:, 1:].max(axis=1), atol=1e-6)


def test_the_best_rows_in_order():
    rng = np.random.default_rng(2)
    for count in (1, 2, 7, 99, 100, 1000):
        score_N = rng.integers(0, 12, 100).astype(np.float32)  # many ties
        expected = sorted(range(100), key=lambda row: (-score_N[row], row))[:count]
        assert best_rows(score_N, count).tolist() == expected
    assert best_rows(np.zeros(0, np.float32), 5).tolist() == []
