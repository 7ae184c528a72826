"""Metrics under weights, and intervals by image."""

import numpy as np
import pytest

from negjax.evaluation.bootstrap import Credits, figures, intervals


def test_weights_against_a_loop():
    rng = np.random.default_rng(0)
    credit, image = rng.random(30), rng.integers(8, size=(30, 4))
    stratum, weight = rng.integers(4, size=30), rng.integers(0, 3, size=(5, 8)).astype(float)
    weight[4] = np.arange(8) == image[0, 0]  # a draw of one image only
    plain = Credits(credit, image[:, :1]).weighted_means(weight)
    grouped = Credits(credit, image).weighted_means(weight)
    by_class = Credits(credit, image[:, :1], stratum).weighted_means(weight)
    for b in range(5):
        w1 = np.array([weight[b, i[0]] for i in image])
        w4 = np.array([np.prod([weight[b, j] for j in i]) for i in image])
        assert plain[b] == pytest.approx((w1 * credit).sum() / w1.sum())
        assert grouped[b] == pytest.approx((w4 * credit).sum() / w4.sum() if w4.sum() else np.nan, nan_ok=True)
        classes = [c for c in range(4) if w1[stratum == c].sum() > 0]
        means = [np.average(credit[stratum == c], weights=w1[stratum == c]) for c in classes]
        assert by_class[b] == pytest.approx(np.mean(means))


def test_interval_of_a_proportion_is_the_binomial_one():
    credit = np.repeat([1.0, 0.0], [300, 700])
    low, high = intervals({"accuracy": Credits(credit, np.arange(1000)[:, None])})["accuracy"]
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert low == pytest.approx(0.3 - half, abs=0.004)
    assert high == pytest.approx(0.3 + half, abs=0.004)


def test_questions_of_one_image_are_drawn_together():
    """Ten copies of each question say no more than one: the interval stays as wide."""
    rng = np.random.default_rng(1)
    credit, image = (rng.random(200) < 0.5).astype(float), np.arange(200)
    one = intervals({"accuracy": Credits(credit, image[:, None])})
    ten = intervals({"accuracy": Credits(np.repeat(credit, 10), np.repeat(image, 10)[:, None])})
    assert ten["accuracy"] == pytest.approx(one["accuracy"])


def test_seed_and_degenerate_sets():
    credits = {
        "accuracy": Credits(np.array([1.0, 0.0, 0.5]), np.array([[4], [4], [4]])),
        "group_accuracy": Credits(np.array([1.0]), np.array([[4, 4, 4, 4]])),
    }
    assert intervals(credits) == {"accuracy": [0.5, 0.5], "group_accuracy": [1, 1]}
    assert figures(credits) == {"accuracy": 0.5, "group_accuracy": 1}
    many = {"accuracy": Credits(np.random.default_rng(0).random(50), np.arange(50)[:, None])}
    assert intervals(many, seed=3) == intervals(many, seed=3) != intervals(many, seed=4)
    never = {"group_accuracy": Credits(np.array([1.0]), np.arange(40)[None])}
    assert intervals(never, resamples=5) == {}
