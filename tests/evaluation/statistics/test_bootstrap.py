"""Metrics under weights, and intervals by image."""

import numpy as np
import pytest

from negjax.evaluation.statistics.bootstrap import Credits, figures, intervals


def test_weights_against_a_loop():
    rng = np.random.default_rng(0)
    credit, image, stratum = rng.random(30), rng.integers(8, size=30), rng.integers(4, size=30)
    weight = rng.integers(0, 3, size=(5, 8)).astype(float)
    weight[4] = np.arange(8) == image[0]  # a draw of one image only
    plain = Credits(credit, image).weighted_means(weight)
    by_class = Credits(credit, image, stratum).weighted_means(weight)
    for b in range(5):
        w = np.array([weight[b, i] for i in image])
        assert plain[b] == pytest.approx((w * credit).sum() / w.sum())
        classes = [c for c in range(4) if w[stratum == c].sum() > 0]
        means = [np.average(credit[stratum == c], weights=w[stratum == c]) for c in classes]
        assert by_class[b] == pytest.approx(np.mean(means))


def test_interval_of_a_proportion_is_the_binomial_one():
    credit = np.repeat([1.0, 0.0], [300, 700])
    low, high = intervals({"accuracy": Credits(credit, np.arange(1000))})["accuracy"]
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert low == pytest.approx(0.3 - half, abs=0.004)
    assert high == pytest.approx(0.3 + half, abs=0.004)


def test_questions_of_one_image_are_drawn_together():
    """Ten copies of each question say no more than one: the interval stays as wide."""
    rng = np.random.default_rng(1)
    credit, image = (rng.random(200) < 0.5).astype(float), np.arange(200)
    one = intervals({"accuracy": Credits(credit, image)})
    ten = intervals({"accuracy": Credits(np.repeat(credit, 10), np.repeat(image, 10))})
    assert ten["accuracy"] == pytest.approx(one["accuracy"])


def test_seed_and_degenerate_sets():
    credits = {
        "accuracy": Credits(np.array([1.0, 0.0, 0.5]), np.array([4, 4, 4])),
        "group_accuracy": Credits(np.array([1.0]), np.array([4])),
    }
    assert intervals(credits) == {"accuracy": [0.5, 0.5], "group_accuracy": [1, 1]}
    assert figures(credits) == {"accuracy": 0.5, "group_accuracy": 1}
    numbers = np.array([-5, 1 << 50])  # of groups
    assert figures({"group_accuracy": Credits(np.array([0.0, 1.0]), numbers)}) == {"group_accuracy": 0.5}
    many = {"accuracy": Credits(np.random.default_rng(0).random(50), np.arange(50))}
    assert intervals(many, seed=3) == intervals(many, seed=3) != intervals(many, seed=4)
