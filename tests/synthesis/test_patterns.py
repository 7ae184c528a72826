"""The tables of sentence patterns: their size, that training and test sentences differ, and what each sentence says."""

import re
import string
from itertools import product

import pytest
from support.caption_reader import read

from negjax.language.negation import is_negated
from negjax.language.splitter import split
from negjax.synthesis import patterns
from negjax.synthesis.captions import fill_pattern
from negjax.synthesis.mediums import PICTURED, clashes, select_tables
from negjax.synthesis.patterns import (
    ABSENT,
    AFFIRMATIVE,
    DRAWINGS,
    NEGATION_FIRST,
    NEGATION_LAST,
    NEITHER,
    OPENERS,
    SentencePatterns,
)
from negjax.synthesis.questions import NEGBENCH_WORDING, negbench_wording

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
    tables = select_tables(medium)
    openers = getattr(tables.openers, part)
    return {
        kind: {
            opener + fill_pattern(pattern, *names)
            for opener, pattern in product(openers, getattr(getattr(tables, kind.lower()), part))
            if medium == "drawing" or not clashes(opener, pattern)
        }
        for kind, names in EXAMPLE_OBJECTS.items()
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


@pytest.mark.parametrize("medium", PICTURED)
def test_sentences_are_about_their_medium(medium):
    others = {
        "photo": r"draw|drew|clip|video|recording|x-ray|radiograph",
        "video": r"draw|drew|photo|picture|image|x-ray",
    }
    for part in ("train", "held_out"):
        sentences = filled(part, medium)
        assert sentences.keys() == EXAMPLE_OBJECTS.keys()
        for kind, some in sentences.items():
            assert not [text for text in some if re.search(others.get(medium, "draw|photo|picture|video"), text, re.I)]
            if medium != "xray":
                assert len(some) >= 0.3 * len(filled(part)[kind])
                for text in some:
                    assert read(text, NAMES) == EXAMPLE_OBJECTS[kind], text
    own = {"photo": "a photo of {P}", "video": "a video of {P}", "xray": "findings of {P}"}
    assert own[medium] in select_tables(medium).affirmative.train
    assert select_tables("drawing") is DRAWINGS


@pytest.mark.parametrize("name", ["owl", "ice", "skis"])
def test_what_is_said_of_several_things_agrees(name):
    """Of what has a plural, of what is not counted, and of what is a plural already."""
    several, verb, none = {
        "owl": ("owls", "are", "not a single owl"),
        "ice": ("ice", "is", "no ice"),
        "skis": ("skis", "are", "no skis"),
    }[name]
    wordings = {"{Ns}": several, "{Ns_are}": verb, "{not_one_N}": none}
    assert {pattern: fill_pattern(pattern, absent=[name]) for pattern in wordings} == wordings
    tables = select_tables("photo")
    patterns = [*tables.absent.train, *tables.absent.held_out]
    texts = {fill_pattern(pattern, absent=[name]) for pattern in patterns}
    assert {f"there {verb} no {several} here", f"there {verb}n't any {several}", f"no {several} can be seen"} <= texts
    assert name == several or not [text for text in texts if re.search(rf"\bany {name}\b", text)]


@pytest.mark.parametrize("medium", PICTURED)
def test_every_medium_has_a_hundred_patterns_that_fit_plurals(medium):
    tables = select_tables(medium)
    parts = [
        part for table in vars(tables).values() if isinstance(table, SentencePatterns) for part in vars(table).values()
    ]
    assert all(len(set(part)) == len(part) for part in parts if "" not in part)
    assert sum(map(len, parts)) + len(tables.inserted) >= 100
    for kind, (present, absent) in EXAMPLE_OBJECTS.items():
        for pattern in [*getattr(tables, kind.lower()).train, *getattr(tables, kind.lower()).held_out]:
            caption = fill_pattern(pattern, ["jeans"] if present else [], ["skis", "scissors"][: len(absent)])
            assert not re.search(
                r"\b(jeans|skis|scissors) is\b|(?<!see )\b(is|an?) (no )?(jeans|skis|scissors)", caption
            )


# The splitter does not read these two: "the owl is missing and so is a dog" affirms the dog.
NOT_READ = {"{a_N} {N_is} absent and so {M_is} {a_M}", "the {N} {N_is} missing and the {M} {M_is} missing too"}


@pytest.mark.parametrize("medium", PICTURED)
def test_the_splitter_reads_every_pattern(medium):
    tables = select_tables(medium)
    for kind, (present, absent) in EXAMPLE_OBJECTS.items():
        for pattern in {*getattr(tables, kind.lower()).train, *getattr(tables, kind.lower()).held_out} - NOT_READ:
            caption = fill_pattern(pattern, present, absent)
            parsed = split(caption)
            assert is_negated(caption) == bool(absent), caption
            assert len(parsed.negated) == len(absent), caption
            assert all(name in concept for name, concept in zip(absent, parsed.negated)), caption
            assert all(name in parsed.affirmed for name in present), caption
            assert not any(name in parsed.affirmed for name in absent), caption


@pytest.mark.parametrize("medium", ["drawing", *PICTURED])
def test_training_and_held_out_sentences_are_disjoint(medium):
    train, held_out = filled("train", medium), filled("held_out", medium)
    assert not set().union(*train.values()) & set().union(*held_out.values())
    openers = select_tables(medium).openers
    assert not {opener for opener in openers.train if opener} & set(openers.held_out)


@pytest.mark.parametrize(
    ("opener", "pattern", "clash"),
    [
        ("here, ", "there {is} {P} here", True),
        ("in this scene, ", "the image shows {P}", True),
        ("as you can see, ", "a picture of {P}", True),
        ("as you can see, ", "the picture shows no {N}", True),
        ("as you can see, ", "the picture lacks {a_N}", False),
        ("on this X-ray, ", "the radiograph reveals {P}", True),
        ("here, ", "{P} but no {N}", False),
        ("", "there {is} {P} here", False),
    ],
)
def test_an_opener_says_nothing_twice(opener, pattern, clash):
    assert clashes(opener, pattern) == clash


def test_x_rays_are_worded_as_findings():
    tables = select_tables("xray")
    told = {fill_pattern(pattern, absent=["support devices"]) for pattern in tables.absent.train}
    assert {"no evidence of support devices", "negative for support devices", "support devices are absent"} <= told
    both = fill_pattern("positive for {P} but negative for {N}", ["edema", "lung opacity"], ["pneumonia"])
    assert both == "positive for edema and a lung opacity but negative for pneumonia"
    assert (
        negbench_wording("xray").negative("edema") == "This image does not show edema"
    )  # as NegBench's CheXpert files
    assert negbench_wording("video").hybrid("cat", "owl") == "This video features a cat, but not an owl"


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


@pytest.mark.parametrize("medium", ["drawing", *PICTURED])
def test_every_held_out_negation_has_its_sentence_without_it(medium):
    tables = select_tables(medium)
    assert tables.unnegated.keys() == {*tables.negation_first.held_out, *tables.negation_last.held_out}
    for pattern, plain in tables.unnegated.items():
        assert plain in pattern
        assert read(fill_pattern(plain, ["cat", "key"]), NAMES) == (["cat", "key"], [])


@pytest.mark.parametrize("caption", ["A cat sits", "A cat"])  # with a verb, and without
@pytest.mark.parametrize("medium", PICTURED)
def test_a_caption_keeps_its_words_when_an_absent_thing_is_woven_in(medium, caption):
    inserted = select_tables(medium).inserted
    assert len(set(inserted)) == len(inserted) >= 10
    for pattern in inserted:
        words = {"caption": caption, "continued": caption.lower()}
        text = fill_pattern(pattern, absent=["owl"], **words)
        assert text.lower().count(caption.lower()) == 1
        assert split(text).negated in {("owl",), ("an owl",), ("any owl",), ("owls",), ("any owls",)}, text
        assert "cat" in split(text).affirmed
        assert (caption.lower() in text) == pattern.endswith("{continued}")
        assert "are" in fill_pattern(pattern, absent=["skis"], **words).split() or "{N_is}" not in pattern
