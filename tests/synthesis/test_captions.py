"""Captions that are written in sentence patterns."""

from collections import Counter

import numpy as np
import pytest
from support.caption_reader import read

from negjax.synthesis.captions import CaptionWriter

NAMES = ["apple", "cat", "dog", "key", "owl"]


@pytest.mark.parametrize("held_out", [False, True])
def test_captions_name_what_they_are_given_in_random_order(held_out):
    writer = CaptionWriter(np.random.default_rng(0), held_out)
    orders, first = Counter(), Counter()
    for _ in range(2000):
        present, absent = read(writer.write_affirmative(["cat", "key", "owl"]), NAMES)
        assert sorted(present) == ["cat", "key", "owl"]
        assert absent == []
        orders[tuple(present)] += 1
        caption = writer.write_negated(["cat", "key"], "owl")
        present, absent = read(caption, NAMES)
        assert (sorted(present), absent) == (["cat", "key"], ["owl"])
        first["absent" if caption.index("owl") < caption.index(present[0]) else present[0]] += 1
        assert read(writer.write_absent("owl"), NAMES) == ([], ["owl"])
        assert sorted(read(writer.write_neither(["dog", "owl"]), NAMES)[1]) == ["dog", "owl"]
    assert len(orders) == 6
    assert min(orders.values()) > 250
    assert 900 < first["absent"] < 1100
    assert 400 < first["cat"] < 600


def test_the_parts_of_the_tables_share_no_caption_and_the_seed_decides():
    def captions(seed: int, held_out: bool) -> list[str]:
        writer = CaptionWriter(np.random.default_rng(seed), held_out)
        return [
            text
            for _ in range(500)
            for text in (
                writer.write_affirmative(["cat"]),
                writer.write_negated(["cat"], "owl"),
                writer.write_absent("owl"),
                writer.write_neither(["owl", "key"]),
            )
        ]

    assert captions(1, False) == captions(1, False) != captions(2, False)
    assert not set(captions(1, False)) & set(captions(1, True))


def test_captions_of_photographs():
    writer = CaptionWriter(np.random.default_rng(0), False, medium="photo")
    captions = {writer.write_affirmative(["skis"]) for _ in range(400)}
    assert not [text for text in captions if "draw" in text or "drew" in text]
    assert {"a photo of skis", "skis are present"} <= captions
    assert not {"a drawing of skis", "someone drew skis"} & captions


def test_a_negation_and_the_same_without_it():
    writer = CaptionWriter(np.random.default_rng(0), True, medium="photo")
    texts = set()
    for _ in range(200):
        text, plain = writer.write_negated_and_plain(["cat", "key"], "owl")
        present, absent = read(text, NAMES)
        assert (sorted(present), absent) == (["cat", "key"], ["owl"])
        assert read(plain, NAMES) == (present, [])
        assert plain in text
        texts.add(text)
    assert len(texts) == 14  # seven patterns, two orders


def test_woven_captions():
    writer, texts = CaptionWriter(np.random.default_rng(0), False), set()
    for _ in range(300):
        texts.add(writer.insert_negation(" A man in London. ", "skis"))
    assert "A man in London, but there are no skis" in texts
    assert "There are no skis, but a man in London" in texts
    assert all(text.lower().count("a man in london") == 1 and text[0].isupper() for text in texts)
