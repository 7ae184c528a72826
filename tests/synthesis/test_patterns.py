"""The tables of sentence patterns: their size, that training and test sentences differ, and what each sentence says."""

import re
import string
from itertools import product

import pytest
from support.caption_reader import read

from negjax.synthesis import patterns
from negjax.synthesis.captions import fill_pattern
from negjax.synthesis.patterns import (
    ABSENT,
    AFFIRMATIVE,
    INSERTED_NEGATION,
    NEGATION_FIRST,
    NEGATION_LAST,
    NEITHER,
    OPENERS,
    UNNEGATED,
    SentencePatterns,
    select_for_medium,
)
from negjax.synthesis.questions import NEGBENCH_WORDING

NAMES = ["apple", "cat", "dog", "key", "owl"]
# Table -> the names that its patterns are filled with here: present, absent.
EXAMPLE_OBJECTS = {
    "AFFIRMATIVE": (["cat", "apple"], []),
    "NEGATION_LAST": (["cat", "apple"], ["owl"]),
    "NEGATION_FIRST": (["cat", "apple"], ["owl"]),
    "ABSENT": ([], ["owl"]),
    "NEITHER": ([], ["owl", "dog"]),
}
PLACEHOLDERS = {
    "AFFIRMATIVE": [{"P"}],
    "NEGATION_LAST": [{"P", "N"}, {"P", "a_N"}],
    "NEGATION_FIRST": [{"P", "N"}, {"P", "a_N"}],
    "ABSENT": [{"N"}, {"a_N"}],
    "NEITHER": [{"N", "M"}, {"a_N", "a_M"}],
}


def all_patterns(name: str) -> list[str]:
    table: SentencePatterns = getattr(patterns, name)
    return [*table.train, *table.held_out]


def filled(part: str, medium: str = "drawing") -> dict[str, set[str]]:
    """All sentences of a part ("train" or "held_out") with each opener, by kind."""
    openers = getattr(select_for_medium(OPENERS, medium), part)
    return {
        kind: {opener + fill_pattern(pattern, *names) for opener, pattern in product(openers, getattr(table, part))}
        for kind, names in EXAMPLE_OBJECTS.items()
        for table in [select_for_medium(getattr(patterns, kind), medium)]
    }


def test_every_table_is_tested_here():
    tables = {name for name, value in vars(patterns).items() if isinstance(value, SentencePatterns)}
    assert tables == {*EXAMPLE_OBJECTS, "OPENERS"}


def test_there_are_at_least_twenty_patterns_of_each_sort():
    assert len(set(AFFIRMATIVE.train)) >= 20
    negating = [*NEGATION_FIRST.train, *NEGATION_LAST.train]
    assert len(set(negating)) >= 20
    assert len(set(NEGATION_FIRST.train)) >= 10
    assert len(set(NEGATION_LAST.train)) >= 10
    for kind in EXAMPLE_OBJECTS:
        table = getattr(patterns, kind)
        assert len(set(table.train)) == len(table.train)
        assert len(set(table.held_out)) == len(table.held_out) >= 3


@pytest.mark.parametrize(
    "words",
    [" no ", "without", " not ", "lacks", "absent", "nowhere to be seen", "neither .* nor ", "cannot", "missing"],
)
@pytest.mark.parametrize("first", [True, False])
def test_training_covers_the_ways_to_say_no(words, first):
    """Each way is met, and where a sentence says what is there as well, before it and after it."""
    train = filled("train")
    sentences = train["NEITHER"] if "neither" in words else train["NEGATION_FIRST" if first else "NEGATION_LAST"]
    assert any(re.search(words, f" {sentence} ") for sentence in sentences)


@pytest.mark.parametrize("kind", EXAMPLE_OBJECTS)
def test_patterns_have_the_places_of_their_kind(kind):
    for pattern in all_patterns(kind):
        fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field]
        names = [field for field in fields if not field.endswith("is")]
        assert len(names) == len(set(names))
        assert set(names) in PLACEHOLDERS[kind], pattern
        named = {name.removeprefix("a_") for name in names}
        assert {"is": "P", "N_is": "N", "M_is": "M"}.keys() >= set(fields) - set(names)
        assert all({"is": "P"}.get(verb, verb[0]) in named for verb in set(fields) - set(names)), pattern


@pytest.mark.parametrize("kind", EXAMPLE_OBJECTS)
def test_every_sentence_says_what_its_kind_says(kind):
    """With each opener, and with one and three present names: by a reader that knows no pattern."""
    present, absent = EXAMPLE_OBJECTS[kind]
    for opener, pattern in product({*OPENERS.train, *OPENERS.held_out}, all_patterns(kind)):
        for some in [present, present[:1], [*present, "key"]] if present else [present]:
            caption = opener + fill_pattern(pattern, some, absent)
            assert read(caption, NAMES) == (some, absent), caption


@pytest.mark.parametrize(("kind", "first"), [("NEGATION_FIRST", True), ("NEGATION_LAST", False)])
def test_the_absent_thing_stands_where_the_kind_says(kind, first):
    for pattern in all_patterns(kind):
        caption = fill_pattern(pattern, ["cat", "key"], ["owl"])
        assert (caption.index("owl") < caption.index("cat")) == first, caption


@pytest.mark.parametrize("kind", EXAMPLE_OBJECTS)
def test_small_words_fit(kind):
    """Articles, and the verb's number, in sentences about an apple, an owl and things without a vowel in front."""
    _, absent = EXAMPLE_OBJECTS[kind]
    for pattern in all_patterns(kind):
        for some, verb in ((["apple"], "is"), (["apple", "key"], "are")):
            caption = f" {fill_pattern(pattern, some if 'P' in pattern else [], absent)} "
            for wrong in (" a apple", " a owl", " an key", " an dog", "  ", "{", "}"):
                assert wrong not in caption, caption
            if "{is}" in pattern:
                assert f" {verb} " in caption.replace(",", " "), caption


@pytest.mark.parametrize("kind", EXAMPLE_OBJECTS)
def test_verbs_agree_with_plural_names(kind):
    """Every "is" or "are" stands beside what it is said of: of skis that is "are", before and after them."""
    present, absent = EXAMPLE_OBJECTS[kind]
    for pattern in all_patterns(kind):
        caption = fill_pattern(pattern, ["jeans"] if present else [], ["skis", "scissors"][: len(absent)])
        assert not re.search(
            r"(?<!you see )\b(is|an?) (no |not |neither |in this scene)?(jeans|skis|scissors)", caption
        ), caption
        assert not re.search(r"\b(jeans|skis|scissors) is\b", caption), caption
        again = fill_pattern(pattern, ["cat"] if present else [], ["owl", "dog"][: len(absent)])
        assert not re.search(r"\bare (no |not |neither )?(an? )?(cat|owl|dog)\b|(?<!and the )\b(cat|owl) are\b", again)


def test_photographs_are_not_said_to_be_drawn():
    for part in ("train", "held_out"):
        sentences = filled(part, "photo")
        assert sentences.keys() == EXAMPLE_OBJECTS.keys()
        for kind, some in sentences.items():
            assert not [text for text in some if re.search("draw|drew", text)]
            assert not any("photo" in text for text in filled(part)[kind])
            assert len(some) >= 0.6 * len(filled(part)[kind])
            for text in some:
                assert read(text, NAMES) == EXAMPLE_OBJECTS[kind], text
        assert "a photo of a cat and an apple" in sentences["AFFIRMATIVE"] or part == "held_out"
    assert select_for_medium(AFFIRMATIVE, "drawing") is AFFIRMATIVE


@pytest.mark.parametrize("medium", ["drawing", "photo"])
def test_training_and_held_out_sentences_are_disjoint(medium):
    train, held_out = filled("train", medium), filled("held_out", medium)
    assert not set().union(*train.values()) & set().union(*held_out.values())
    assert not {opener for opener in OPENERS.train if opener} & set(OPENERS.held_out)


def test_negbenchs_templates_are_in_no_training_sentence():
    templates = [
        NEGBENCH_WORDING.pair("cat", "apple"),
        NEGBENCH_WORDING.hybrid("cat", "owl"),
        NEGBENCH_WORDING.single("cat"),
        NEGBENCH_WORDING.negative("owl"),
    ]
    assert templates == [
        "This image features a cat and an apple",
        "This image features a cat, but not an owl",
        "This image features a cat",
        "This image does not feature an owl",
    ]
    train = set().union(*filled("train").values())
    alone = {opener + fill_pattern(p, ["cat"], ["owl"]) for opener in OPENERS.train for p in NEGATION_LAST.train}
    alone |= {opener + fill_pattern(p, ["cat"]) for opener in OPENERS.train for p in AFFIRMATIVE.train}
    for sentence in train | alone:
        assert all(template.lower() not in sentence for template in templates), sentence


def test_absent_and_neither_say_nothing_of_what_is_there():
    for pattern in [*all_patterns("ABSENT"), *all_patterns("NEITHER")]:
        assert "{P}" not in pattern
    assert len(set(ABSENT.train)) >= 10
    assert len(set(NEITHER.train)) >= 10


def test_every_held_out_negation_has_its_sentence_without_it():
    assert UNNEGATED.keys() == {*NEGATION_FIRST.held_out, *NEGATION_LAST.held_out}
    for pattern, plain in UNNEGATED.items():
        assert plain in pattern
        assert read(fill_pattern(plain, ["cat", "key"]), NAMES) == (["cat", "key"], [])


def test_a_caption_keeps_its_words_when_an_absent_thing_is_woven_in():
    assert len(set(INSERTED_NEGATION)) == len(INSERTED_NEGATION) >= 10
    for pattern in INSERTED_NEGATION:
        words = {"caption": "A cat sits", "continued": "a cat sits"}
        caption = fill_pattern(pattern, absent=["owl"], **words)
        assert caption.lower().count("a cat sits") == 1
        assert read(re.sub(r"[:;.]", ",", caption), NAMES) == (["cat"], ["owl"]), caption
        assert ("a cat sits" in caption) == pattern.endswith("{continued}")
        assert "are" in fill_pattern(pattern, absent=["skis"], **words).split() or "{N_is}" not in pattern
