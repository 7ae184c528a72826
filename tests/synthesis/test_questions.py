"""Questions: NegBench's construction said again in other words, and the truth table read by an independent reader."""

from collections import Counter

import numpy as np
import pytest
from support.caption_reader import read

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import (
    NEGBENCH_WORDING,
    NEGMCQ_KINDS,
    TRUTH_TABLE_CELLS,
    build_mcq,
    build_truth_table_group,
    varied_wording,
    write_truth_table,
)

NAMES = ["apple", "cat", "dog", "key", "owl"]
SCENES = {"a_only": {"cat"}, "b_only": {"owl"}, "both": {"cat", "owl"}, "neither": {"key"}}


def is_true(caption: str, scene: set[str]) -> bool:
    present, absent = read(caption, NAMES)
    assert present or absent, caption
    return scene.issuperset(present) and not scene & set(absent)


# NEGBENCH.md: the right one is "A and B", "not N" or "B but not N"; the wrong ones are N but not B; N; not A.
@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("positive", "This image features an apple and a cat"),
        ("negative", "This image does not feature an owl"),
        ("hybrid", "This image features a cat, but not an owl"),
        ("modified_positive", "This image features a cat"),
    ],
)
def test_mcq_is_built_as_negbenchs(kind, right):
    wrong = {
        "This image features an owl, but not a cat",
        "This image features an owl",
        "This image does not feature an apple",
    }
    rng, answers = np.random.default_rng(0), Counter()
    for _ in range(800):
        question = build_mcq(kind, ("apple", "cat"), "owl", NEGBENCH_WORDING, rng)
        assert question.kind == kind
        assert question.options[question.answer] == right
        assert sorted(question.options) == sorted([right, *wrong])
        kinds = dict(zip(question.options, question.option_kinds, strict=True))
        assert kinds == {
            right: kind,
            "This image features an owl, but not a cat": "hybrid",
            "This image features an owl": "positive",
            "This image does not feature an apple": "negative",
        }
        assert [is_true(option, {"apple", "cat"}) for option in question.options] == [
            i == question.answer for i in range(4)
        ]
        answers[question.answer] += 1
    assert all(150 < answers[place] < 250 for place in range(4))


@pytest.mark.parametrize("kind", NEGMCQ_KINDS)
@pytest.mark.parametrize("held_out", [False, True])
def test_mcq_in_varied_words_has_one_true_option(kind, held_out):
    """In a picture with A and B and something else that no option names."""
    writer = CaptionWriter(np.random.default_rng(1), held_out)
    texts = set()
    for _ in range(300):
        question = build_mcq(kind, ("apple", "cat"), "owl", varied_wording(writer), writer.rng)
        truth = [is_true(option, {"apple", "cat", "key"}) for option in question.options]
        assert truth == [i == question.answer for i in range(4)], question
        said = sorted(tuple(map(tuple, map(sorted, read(option, NAMES)))) for option in question.options)
        right = {
            "positive": (("apple", "cat"), ()),
            "negative": ((), ("owl",)),
            "hybrid": (("cat",), ("owl",)),
            "modified_positive": (("cat",), ()),
        }[kind]
        assert said == sorted([right, (("owl",), ("cat",)), (("owl",), ()), ((), ("apple",))])
        texts.add(question.options[question.answer])
    assert len(texts) > (3 if held_out else 20)


@pytest.mark.parametrize("held_out", [False, True])
def test_each_caption_of_a_truth_table_is_true_in_its_cell_alone(held_out):
    writer, first = CaptionWriter(np.random.default_rng(2), held_out), Counter()
    for _ in range(1500):
        captions = write_truth_table("cat", "owl", writer)
        table = [[is_true(caption, SCENES[cell]) for cell in TRUTH_TABLE_CELLS] for caption in captions]
        assert table == np.eye(4, dtype=bool).tolist(), captions
        for cell, caption in zip(TRUTH_TABLE_CELLS, captions):
            first[cell] += caption.index("cat") < caption.index("owl")
    # Which name comes first is drawn for each caption, whatever it says of it.
    assert all(650 < first[cell] < 850 for cell in TRUTH_TABLE_CELLS)


def test_orders_within_a_truth_table_are_independent():
    writer, orders = CaptionWriter(np.random.default_rng(3), False), Counter()
    for _ in range(3200):
        captions = write_truth_table("cat", "owl", writer)
        orders[tuple(caption.index("cat") < caption.index("owl") for caption in captions)] += 1
    assert len(orders) == 16
    assert 140 < min(orders.values()) <= max(orders.values()) < 260


def test_a_group_asks_the_same_options_of_all_four_images():
    writer, places = CaptionWriter(np.random.default_rng(4), True), Counter()
    for _ in range(400):
        group = build_truth_table_group("cat", "owl", writer, writer.rng)
        assert [question.kind for question in group] == list(TRUTH_TABLE_CELLS)
        assert len({question.options for question in group}) == 1
        assert sorted(question.answer for question in group) == [0, 1, 2, 3]  # a blind scorer gets one of four
        for question in group:
            assert is_true(question.options[question.answer], SCENES[question.kind])
            assert all(map(is_true, question.options, [SCENES[kind] for kind in question.option_kinds]))
            places[question.kind, question.answer] += 1
    assert len(places) == 16
    assert all(60 < count < 140 for count in places.values())


def test_the_reader_finds_lies():
    """So that the tests above can fail."""
    assert not is_true("no cat but an owl", {"cat", "owl"})
    assert not is_true("an owl without a cat", {"cat", "owl"})
    assert is_true("an owl without a cat", {"owl"})
    assert not is_true("neither a cat nor an owl", {"owl"})
    assert not is_true("the cat and the owl are both absent", {"cat"})
    assert read("a cat, an owl and a key, with no dog in sight", NAMES) == (["cat", "owl", "key"], ["dog"])
