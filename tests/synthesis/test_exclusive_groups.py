"""Groups of exclusive objects: each option is right once, by the labels."""

import numpy as np

from negjax.language.negation import is_negated
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.exclusive_groups import build_exclusive_groups
from negjax.synthesis.labels import build_labels

NAMES = ["boat", "dog", "guitar", "horse", "tent", "umbrella"]


def groups(count: int, reuse: int):
    """Of 30 images with one object each, of which only some absences are known."""
    rng = np.random.default_rng(1)
    present = [[NAMES[i % 6]] for i in range(30)]
    absent = [[name for name in NAMES if name not in held and rng.random() < 0.8] for held in present]
    labels = build_labels(present, NAMES, absent)
    writer = CaptionWriter(np.random.default_rng(2), held_out=True, medium="photo")
    return present, absent, list(build_exclusive_groups(labels, writer, count, reuse))


def test_each_option_is_right_for_one_image_of_its_group():
    present, absent, rows = groups(6, 2)
    assert len(rows) == 24
    for number in range(6):
        members = [(image, question) for image, question, group in rows if group == number]
        (options,) = {question.options for _, question in members}
        assert sorted(question.answer for _, question in members) == [0, 1, 2, 3]
        assert sum(map(is_negated, options)) == 2
        for image, question in members:
            right = options[question.answer]
            assert present[image][0] in right
            others = [name for other, _ in members if other != image for name in present[other]]
            assert set(others) <= set(absent[image])


def test_limits():
    _, _, rows = groups(100, 1)
    images = [image for image, _, _ in rows]
    assert len(images) == len(set(images)) > 0


def test_what_no_image_lacks_is_no_reason_to_leave_an_image_out():
    """All images hold a tree, which no caption denies, and one other object each: every image finds its group."""
    present = [["tree", NAMES[i % 4]] for i in range(8)]
    absent = [[name for name in NAMES[:4] if name not in held] for held in present]
    labels = build_labels(present, ["tree", *NAMES], absent)
    writer = CaptionWriter(np.random.default_rng(0), held_out=True, medium="photo")
    rows = list(build_exclusive_groups(labels, writer, 100, 1))
    assert sorted(image for image, _, _ in rows) == list(range(8))
