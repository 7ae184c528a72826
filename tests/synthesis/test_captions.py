"""Captions and small words."""

from collections import Counter

import numpy as np
import pytest
from caption_reader import read

from negjax.synthesis.captions import Writer
from negjax.synthesis.phrases import a, listing

NAMES = ["apple", "cat", "dog", "key", "owl"]


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("apple", "an apple"),
        ("cat", "a cat"),
        ("Owl", "an Owl"),
        ("umbrella", "an umbrella"),
        ("ice cream", "an ice cream"),
    ],
)
def test_articles(name, phrase):
    assert a(name) == phrase


def test_lists():
    assert listing(["cat"]) == "a cat"
    assert listing(["cat", "owl"]) == "a cat and an owl"
    assert listing(["cat", "owl", "key"]) == "a cat, an owl and a key"


@pytest.mark.parametrize("held_out", [False, True])
def test_captions_name_what_they_are_given_in_random_order(held_out):
    writer = Writer(np.random.default_rng(0), held_out)
    orders, first = Counter(), Counter()
    for _ in range(2000):
        present, absent = read(writer.affirmative(["cat", "key", "owl"]), NAMES)
        assert sorted(present) == ["cat", "key", "owl"]
        assert absent == []
        orders[tuple(present)] += 1
        caption = writer.negating(["cat", "key"], "owl")
        present, absent = read(caption, NAMES)
        assert (sorted(present), absent) == (["cat", "key"], ["owl"])
        first["absent" if caption.index("owl") < caption.index(present[0]) else present[0]] += 1
        assert read(writer.absent("owl"), NAMES) == ([], ["owl"])
        assert sorted(read(writer.neither(["dog", "owl"]), NAMES)[1]) == ["dog", "owl"]
    assert len(orders) == 6
    assert min(orders.values()) > 250
    assert 900 < first["absent"] < 1100
    assert 400 < first["cat"] < 600


def test_the_parts_of_the_tables_share_no_caption_and_the_seed_decides():
    def captions(seed: int, held_out: bool) -> list[str]:
        writer = Writer(np.random.default_rng(seed), held_out)
        return [
            text
            for _ in range(500)
            for text in (
                writer.affirmative(["cat"]),
                writer.negating(["cat"], "owl"),
                writer.absent("owl"),
                writer.neither(["owl", "key"]),
            )
        ]

    assert captions(1, False) == captions(1, False) != captions(2, False)
    assert not set(captions(1, False)) & set(captions(1, True))
