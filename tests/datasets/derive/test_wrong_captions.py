"""Derived sets of right and wrong captions: what each caption says is read, and compared with what the image shows."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from support.caption_reader import read

from negjax.datasets.derive.build import derive_rows, derive_set
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import LabelledImages
from negjax.datasets.scenes.combinations import CombinationSplit
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.synthesis.labels import build_labels


@pytest.fixture(scope="module")
def images() -> LabelledImages:
    split, rng = CombinationSplit(3), np.random.default_rng(4)
    objects = [split.draw_training(rng) for _ in range(2000)]
    return LabelledImages(build_labels([*objects, []], OBJECT_NAMES), [["a scene"]] * 2001)


def derive(kind: str, images: LabelledImages, **limits) -> list[tuple[set[str], dict]]:
    """The objects of each row's image, and the row."""
    derived = derive_rows(DeriveRequest(kind, medium="drawing", **limits), images)
    return [(set(images.labels.objects_in(image)), record) for image, record in derived.rows]


def check_truth(shown: set[str], record: dict) -> None:
    """The right option is true and names all that is shown, and every other one is wrong."""
    for number, text in enumerate(record["options"]):
        present, absent = read(text, OBJECT_NAMES)
        assert (shown >= set(present) and not shown & set(absent)) == (number == record["answer"]), text
    assert record["captions"] == [record["options"][record["answer"]]]


def test_replaced(images):
    rows = derive("replaced", images)
    split, held_out = CombinationSplit(3), set()
    assert len(rows) > 1900
    for shown, record in rows:
        check_truth(shown, record)
        said = [read(text, OBJECT_NAMES) for text in record["options"]]
        assert set(said[0][0]) == shown
        assert len({tuple(present) for present, _ in said}) == 4
        for present, absent in said[1:]:
            assert not absent
            assert sum(a != b for a, b in zip(present, said[0][0], strict=True)) == 1
            held_out |= {name for name in present if split.has_held_out_pair([*(shown - {name}), name])}
    assert not held_out  # no wrong caption names what never occurs together


def test_denied(images):
    rows = derive("denied", images)
    assert len(rows) == sum(images.labels.present_IN.sum(axis=1) > 1)
    for shown, record in rows:
        check_truth(shown, record)
        kept, denied = read(record["options"][1], OBJECT_NAMES)
        assert ({*kept, *denied}, len(denied), record["answer"]) == (shown, 1, 0)


def test_distractors(images):
    rows = derive("distractors", images)
    assert len(rows) == 2000
    uses = Counter(frozenset(shown) for shown, _ in rows)
    for (shown, record), (other, mirrored) in zip(rows[::2], rows[1::2]):
        check_truth(shown, record)
        check_truth(other, mirrored)
        assert (record["answer"], mirrored["answer"]) == (0, 1)
        assert (record["options"], record["group"]) == (mirrored["options"], mirrored["group"])
        kept, denied = read(record["options"][1], OBJECT_NAMES)
        assert shown == {*kept, *denied}
        assert other >= set(kept)
        assert not other & set(denied)
    assert len(uses) > 500
    assert len(derive("distractors", images, groups=7)) == 14


def test_labels_that_allow_none():
    one = LabelledImages(build_labels([["cat"], ["dog"]]), [["a"], ["b"]])
    both = LabelledImages(build_labels([["cat", "dog"], ["cat", "dog"]]), [["a"], ["b"]])
    for kind, images, needs in (
        ("denied", one, "no questions can be made of these labels: it takes an image of two objects"),
        ("distractors", both, "no pairs of images can be made of these labels: .* shows all of them but one"),
        ("replaced", both, "no questions can be made of these labels: it takes an image that lacks an object"),
    ):
        with pytest.raises(NegjaxError, match=needs):
            derive_rows(DeriveRequest(kind), images)


def test_of_scenes(scenes, tmp_path):
    """Of a stored set, with its images."""
    (tmp_path / "source").symlink_to(scenes / "scenes_negcap")
    derive_set(DeriveRequest("distractors", medium="drawing"), "source", "pairs", tmp_path, progress=False)
    data, source = open_set(tmp_path, "pairs"), open_set(tmp_path, "source")
    shown = {row["media_sha256"]: set(row["positive_objects"]) for row in source.rows()}
    assert data.metadata["group_size"] == 2
    for row in data.rows():
        assert hashlib.sha256(row["media"]).hexdigest() == row["media_sha256"]
        check_truth(shown[row["media_sha256"]], row)
