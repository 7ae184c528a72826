"""Zero-shot naming: classes are normalised means of normalised prompts; ties and means over classes."""

import numpy as np
import pytest

from negjax.evaluation.choices import choice_credit
from negjax.evaluation.embed.vectors import cosine_matrix
from negjax.evaluation.statistics.bootstrap import figures
from negjax.evaluation.tasks.zeroshot import class_credits, class_embeddings


def test_a_class_is_the_normalised_mean_of_its_normalised_prompts():
    captions = np.array([[3.0, 0.0], [0.0, 0.5], [-2.0, 0.0]], np.float32)
    classes = class_embeddings(captions, np.array([[0, 1], [2, 2]]))
    np.testing.assert_allclose(classes, [[np.sqrt(0.5), np.sqrt(0.5)], [-1, 0]], rtol=1e-6)


def test_accuracy_over_images_and_over_classes():
    scores = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.9, 0.0], [0.0, 0.0, 1.0]])
    label = np.array([0, 0, 1, 0])
    found = figures(class_credits(choice_credit(scores, label), np.arange(4), label))
    assert found["accuracy"] == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert found["mean_class_accuracy"] == pytest.approx((2 / 3 + 0.5) / 2)


def test_equal_classes_tie():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(50, 33)).astype(np.float32)
    classes = np.repeat(rng.normal(size=(5, 33)).astype(np.float32), 2, axis=0)
    scores = cosine_matrix(image, classes, block=7)
    np.testing.assert_array_equal(scores[:, ::2], scores[:, 1::2])
    np.testing.assert_allclose(scores, image @ classes.T, atol=1e-5)
