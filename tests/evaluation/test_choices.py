"""Questions: credit with ties, figures by kind, groups of four; against loops."""

import numpy as np
import pytest

from negjax.evaluation.choices import choice_credit, group_credits, option_scores, question_credits
from negjax.evaluation.embed.vectors import distinct_rows, unit_rows
from negjax.evaluation.statistics.bootstrap import figures
from negjax.negation.scorer import CaptionVectors
from negjax.synthesis.questions import TRUTH_TABLE_CELLS


def test_scores_are_the_cosines_of_each_questions_own_image():
    rng = np.random.default_rng(0)
    images, captions = unit_rows(rng.normal(size=(7, 16))), unit_rows(rng.normal(size=(30, 16)))
    image, option = rng.integers(7, size=50), rng.integers(30, size=(50, 4))
    scores = option_scores(images, image, CaptionVectors((captions,)), option, block=8)
    for n in range(50):
        for o in range(4):
            expected = float(np.dot(images[image[n]].astype(float), captions[option[n, o]].astype(float)))
            assert scores[n, o] == pytest.approx(expected, abs=1e-7)
    np.testing.assert_array_equal(scores, option_scores(images, image, CaptionVectors((captions,)), option))


def test_ties_earn_one_in_m():
    scores = np.array([[0.5, 0.5, 0.1, 0.5], [0.5, 0.5, 0.1, 0.5], [0.2, 0.1, 0.0, 0.1], [0, 0, 0, 0]])
    credit = choice_credit(scores, np.array([0, 2, 0, 3]))
    np.testing.assert_allclose(credit, [1 / 3, 0, 1, 1 / 4])


def test_equal_embeddings_tie_to_the_bit_wherever_they_stand():
    rng = np.random.default_rng(1)
    caption = unit_rows(rng.normal(size=(1, 77)))
    captions = np.repeat(caption, 400, axis=0)
    images = unit_rows(rng.normal(size=(100, 77)))
    scores = option_scores(images, np.arange(100), CaptionVectors((captions,)), np.arange(400).reshape(100, 4))
    assert choice_credit(scores, np.zeros(100, int)).tolist() == [0.25] * 100


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_an_error(bad):
    scores = np.zeros((3, 4))
    scores[1, 2] = bad
    with pytest.raises(ValueError, match="question 1"):
        choice_credit(scores, np.zeros(3, int))


def test_accuracy_by_kind():
    credits = question_credits(
        np.array([1, 0, 0.5, 1, 0.25]),
        np.arange(5),
        ["positive", "negative", "hybrid", "positive", "hybrid"],
    )
    assert figures(credits) == {
        "accuracy": pytest.approx(0.55),
        "positive_accuracy": 1.0,
        "negative_accuracy": 0.0,
        "hybrid_accuracy": 0.375,
    }


def test_a_groups_credit_is_the_product_of_its_four():
    rng = np.random.default_rng(2)
    group, kind = np.repeat([7, 3, 9], 4), list(TRUTH_TABLE_CELLS) * 3
    credit = rng.choice([0.25, 0.5, 1], size=12)
    order = rng.permutation(12)
    expected = np.mean([np.prod(credit[group == g]) for g in (7, 3, 9)])
    found = group_credits(credit[order], [kind[i] for i in order], group[order])
    assert found.mean() == pytest.approx(expected)
    assert found.unit_N.tolist() == [3, 7, 9]


@pytest.mark.parametrize(
    "kinds", [TRUTH_TABLE_CELLS[:3], ("a_only", "a_only", "both", "neither"), (*TRUTH_TABLE_CELLS, "both")]
)
def test_a_group_without_its_four_cells_is_an_error(kinds):
    n = len(kinds)
    with pytest.raises(ValueError, match="group 5"):
        group_credits(np.ones(n), kinds, np.full(n, 5))


def test_distinct_rows_keep_the_order_of_first_appearance():
    x = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [3.0, 1.0], [2.0, 0.0]], np.float32)
    first, where = distinct_rows(x)
    assert first.tolist() == [0, 1, 3]
    assert where.tolist() == [0, 1, 0, 2, 1]


def test_a_zero_embedding_stays_zero():
    assert unit_rows(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [
        [0, 0],
        [np.float32(0.6), np.float32(0.8)],
    ]
