"""Labels: what is there, what is surely not, and what may be expected, by counting in plain Python."""

from collections import Counter

import numpy as np
import pytest

from negjax.synthesis.labels import build_labels

IMAGES = [{"dog", "bear"}, {"teddy bear"}, set(), {"dog", "cat"}, {"cat", "dog", "hot dog"}]


def test_holds_and_absent():
    labels = build_labels(IMAGES)
    assert labels.names == ("bear", "cat", "dog", "hot dog", "teddy bear")
    assert [set(labels.objects_in(image)) for image in range(5)] == IMAGES
    absent = [{name for name, gone in zip(labels.names, row) if gone} for row in labels.absent_IN]
    assert absent == [
        {"cat"},  # a dog and a bear: nothing is said of hot dogs and teddy bears
        {"cat", "dog", "hot dog"},
        set(labels.names),
        {"bear", "teddy bear"},
        {"bear", "teddy bear"},
    ]


def test_given_names_are_the_ones_that_count():
    labels = build_labels(IMAGES, ["zebra", "dog"])
    assert labels.names == ("zebra", "dog")
    assert labels.present_IN.tolist() == [[False, "dog" in each] for each in IMAGES]


def test_what_is_found_together(coco):
    labels = build_labels(coco)
    for first, second in (("person", "chair"), ("dog", "dog"), ("toaster", "skis")):
        counted = sum(first in each and second in each for each in coco)
        assert labels.cooccurrence_NN[labels.names.index(first), labels.names.index(second)] == counted


def test_likely_absent_objects_are_drawn_by_what_they_are_found_with():
    """A fork beside a knife in 3 of 4 images, a boat in 1 of 4, a cloud never."""
    images = [{"knife", "fork"}, {"knife", "fork"}, {"knife", "fork"}, {"knife", "boat"}, {"knife"}, {"cloud"}]
    labels, rng = build_labels(images), np.random.default_rng(0)
    drawn = Counter(labels.draw_likely_absent(4, 1, rng)[0] for _ in range(4000))
    assert drawn["cloud"] == 0
    assert drawn["fork"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert sorted(labels.draw_likely_absent(4, 9, rng)) == ["boat", "cloud", "fork"]
    assert labels.draw_likely_absent(4, 3, rng)[-1] == "cloud"
    everything = build_labels([{"a", "b"}, {"a"}])
    assert everything.draw_likely_absent(0, 2, rng) == []
    assert sorted(build_labels([set(), {"a", "b"}]).draw_likely_absent(0, 2, rng)) == ["a", "b"]
