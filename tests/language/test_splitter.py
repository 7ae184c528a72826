"""The splitter on sentences written for it, on odd input, and on time."""

import random
import time
from pathlib import Path

import pytest

from negjax.language import words
from negjax.language.negation import CUE_WORDS, is_negated, may_be_negated, normalize
from negjax.language.parsed import Parsed
from negjax.language.search_form import split_search_form
from negjax.language.splitter import split

HARD_SENTENCES = Path(__file__).with_name("hard_sentences.txt").read_text(encoding="utf-8")
ROWS = [
    tuple(column.strip() for column in line.split("|"))
    for line in HARD_SENTENCES.splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("sentence", "affirmed", "negated", "operator"), ROWS, ids=[row[0] for row in ROWS])
def test_hard_sentence(sentence: str, affirmed: str, negated: str, operator: str) -> None:
    parsed = split(sentence)
    expected = tuple(name.strip() for name in negated.split(";") if name)
    assert parsed.negated == expected
    assert parsed.affirmed == (sentence if affirmed == "=" else affirmed)
    assert parsed.operator == operator


@pytest.mark.parametrize("sentence", [row[0] for row in ROWS if row[2]])
def test_what_is_split_counts_as_negated(sentence: str) -> None:
    assert may_be_negated(normalize(sentence)) or split_search_form(sentence)
    assert is_negated(sentence) or split_search_form(sentence)


def test_there_are_enough_hard_sentences():
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 200
    assert sum(affirmed == "=" for _, affirmed, *_ in ROWS) >= 40


@pytest.mark.parametrize(
    ("caption", "concepts", "operator"),
    [
        ("a dog", ("dog",), "none"),
        ("A red car.", ("red car",), "none"),
        ("a dog and a cat", ("dog", "cat"), "and"),
        ("a dog, a cat and a bird", ("dog", "cat", "bird"), "and"),
        ("a dog or a cat", ("dog", "cat"), "or"),
        ("This image shows a dog and a glass of wine.", ("dog", "glass of wine"), "and"),
        ("There is a chair in this image.", ("chair",), "none"),
        ("A bench and a hot dog are both present in this image.", ("bench", "hot dog"), "and"),
        ("A cat, but no dog", ("cat",), "but_not"),
        ("A dog sleeps on a sofa.", (), "none"),
        ("", (), "none"),
    ],
)
def test_objects_of_lists(caption: str, concepts: tuple[str, ...], operator: str) -> None:
    parsed = split(caption)
    assert (parsed.concepts, parsed.operator) == (concepts, operator)


@pytest.mark.parametrize(
    "caption", ["", " ", "\n", ".", "…", "-", "''", "犬と猫", "собака без кошки", "🐕", "a\x00b", "İ no"]
)
def test_odd_texts_are_left_alone(caption: str) -> None:
    parsed = split(caption)
    assert (parsed.caption, parsed.affirmed, parsed.negated) == (caption, caption, ())


@pytest.mark.parametrize(
    ("caption", "remark"),
    [
        ("a park not without dogs", "double negation: 'not without'"),
        ("a cat can't wait", 'idiom: "can\'t wait"'),
        ("a no parking sign", "what a sign, text or rule says"),
        ("a room with nothing but a chair", "'nothing' with an exception affirms"),
        ("a dog without a dog", "denies what it affirms: 'dog'"),
        ("it is not", "not understood: 'not'"),
        ("a beach without people", ""),
        ("a beach", ""),
    ],
)
def test_a_remark_says_why_a_cue_is_left_alone(caption: str, remark: str) -> None:
    assert split(caption).remark == remark


def test_a_concept_is_named_once():
    assert split("no dog, and no dog either").negated == ("dog",)


def test_a_line_break_is_a_space():
    assert split("a beach\nwithout\npeople").negated == ("people",)


@pytest.mark.parametrize(
    "unit",
    ["no dog ", "dog ", "not ", "no ", "without a cat and ", "a, ", "no a, ", "and ", '" no ', "is absent ", "of ",
     "-x ", "NOT a ", "in the ", "no one but ", "un", "a" * 50, "(", "sign no ", "isn't "],
)  # fmt: skip
def test_time_grows_with_length(unit: str) -> None:
    """10,000 characters of anything take less than half a second, and four times as many about four times."""

    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.process_time()
        assert isinstance(split(text), Parsed)
        return time.process_time() - start

    short, long = (min(seconds(length) for _ in range(2)) for length in (10_000, 40_000))
    assert short < 0.5
    assert long < 8 * short + 0.05


def test_any_order_of_words_is_read_without_error():
    """Words of all rules in random order: whatever is read, the caption is kept, and no concept is empty."""
    vocabulary = sorted(
        words.EMPTY | words.ACTORS | words.FINITE | words.HOLDING | CUE_WORDS | {"n't", "NOT", "w/o", "-a"}
    )
    generator = random.Random(0)
    for _ in range(2000):
        caption = " ".join(generator.choices(vocabulary, k=generator.randint(1, 14)))
        parsed = split(caption)
        assert parsed.caption == caption
        assert all(parsed.negated)
        assert parsed.negated or parsed.affirmed == caption
