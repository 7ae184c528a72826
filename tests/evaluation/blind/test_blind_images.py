"""Blind figures against loops over all other images."""

import numpy as np
import pytest

from negjax.evaluation.blind import images as blind_images
from negjax.evaluation.blind.images import mean_image_credit, other_image_credit
from negjax.evaluation.choices import choice_credit, group_credits
from negjax.negation.scorer import CaptionVectors
from negjax.synthesis.questions import TRUTH_TABLE_CELLS


def sample(seed: int):
    rng = np.random.default_rng(seed)
    images = rng.integers(-1, 2, size=(9, 3)).astype(np.float32)
    captions = rng.integers(-1, 2, size=(20, 3)).astype(np.float32)
    option = rng.integers(20, size=(25, 4))
    return images, rng.integers(9, size=25), captions, option, rng.integers(4, size=25)


def credit(image: np.ndarray, options: np.ndarray, answer: int) -> float:
    scores = [float(image.astype(float) @ option.astype(float)) for option in options]
    best = [score == max(scores) for score in scores]
    return best[answer] / sum(best)


@pytest.mark.parametrize("seed", range(4))
def test_other_image_is_the_mean_over_all_others(seed):
    images, image, captions, option, answer = sample(seed)
    found = other_image_credit(images, image, CaptionVectors((captions,)), option, answer, block=4)
    for n in range(25):
        others = [j for j in range(9) if j != image[n]]
        mean = np.mean([credit(images[j], captions[option[n]], answer[n]) for j in others])
        assert found[n] == pytest.approx(mean)
    np.testing.assert_array_equal(found, other_image_credit(images, image, CaptionVectors((captions,)), option, answer))


def test_of_many_images_some_are_drawn(monkeypatch):
    """Nine images, of which six are drawn as NumPy's generator of this seed draws them."""
    monkeypatch.setattr(blind_images, "MAX_OTHER_IMAGES", 8)
    monkeypatch.setattr(blind_images, "DRAWN_IMAGES", 6)
    images, image, captions, option, answer = sample(3)
    drawn = np.random.default_rng(5).choice(9, 6, replace=False)
    found = other_image_credit(images, image, CaptionVectors((captions,)), option, answer, seed=5)
    assert {int(n) for n in image if n not in drawn}
    for n in range(25):
        others = [j for j in drawn if j != image[n]]
        assert found[n] == pytest.approx(np.mean([credit(images[j], captions[option[n]], answer[n]) for j in others]))
    assert blind_images.other_image_remark(8) == ""
    assert "6 of 9 images" in blind_images.other_image_remark(9)


def test_mean_image_is_the_normalised_mean_of_the_images():
    images, _, _, option, answer = sample(9)
    captions = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    mean = images.mean(axis=0)
    mean /= np.sqrt((mean**2).sum())
    found = mean_image_credit(images, CaptionVectors((captions,)), option, answer)
    assert found.tolist() == [credit(mean, captions[option[n]], answer[n]) for n in range(25)]


def test_the_truth_table_cannot_be_answered_blind():
    rng = np.random.default_rng(3)
    images = rng.normal(size=(40, 8)).astype(np.float32)
    captions = rng.normal(size=(40, 8)).astype(np.float32)
    option, answer = np.repeat(np.arange(40).reshape(10, 4), 4, axis=0), np.tile(np.arange(4), 10)
    found = mean_image_credit(images, CaptionVectors((captions,)), option, answer)
    groups = group_credits(found, list(TRUTH_TABLE_CELLS) * 10, np.repeat(np.arange(10), 4))
    assert (found.mean(), groups.mean()) == (0.25, 0)


def test_a_constant_model_is_at_chance_blind_and_not():
    option, answer = np.arange(24).reshape(6, 4), np.zeros(6, int)
    captions = np.tile(np.float32([0.6, 0.8]), (24, 1))
    images = np.tile(np.float32([0.8, -0.6]), (5, 1))
    image = np.arange(6) % 5
    assert other_image_credit(images, image, CaptionVectors((captions,)), option, answer).tolist() == [0.25] * 6
    assert mean_image_credit(images, CaptionVectors((captions,)), option, answer).tolist() == [0.25] * 6
    assert choice_credit(np.zeros((6, 4)), answer).tolist() == [0.25] * 6
