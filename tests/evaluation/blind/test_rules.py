"""Rules that read only the options: by hand, in any order, on truth tables, on the published files."""

import csv
import itertools

import numpy as np
import pytest

from negjax.evaluation.blind.rules import RULES, absent_object, longer_affirmation, rule_credit
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import MCQ_KINDS, NEGBENCH_WORDING, build_mcq, build_truth_table_group, varied_wording


def texts(file) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return [[row[f"caption_{i}"] for i in range(4)] for row in csv.DictReader(lines)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["a cat", "a cat and a dog", "no cat", "no cat at all in sight"], [0, 1, 0, 0]),
        (["a dog", "a cat", "no cat", "a dog but no cat"], [0.5, 0.5, 0, 0]),
        (["a cat", "no dog", "a cat but no dog", "no bird"], [0, 1 / 3, 1 / 3, 1 / 3]),
        (["no cat", "no dog", "a cat but no dog", "no bird"], [1 / 4] * 4),
        (["a cat", "no cat"], [0, 1]),
        (["a cat"], [1]),
    ],
)
def test_longer_affirmation(options, expected):
    np.testing.assert_allclose(longer_affirmation(options), expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # "A and B" is right: of two affirmations, the one that the others deny.
        (["a cat", "a dog, with no owl in sight", "a dog stands in this big green garden", "no cat"], [1, 0, 0, 0]),
        (["a cat and an owl", "a dog, with no owl in sight", "a dog", "no cat"], [1, 0, 0, 0]),
        # "not N" is right.
        (
            ["Cats are absent.", "a cat, while a dog is missing", "This image shows a cat.", "It is owl-free"],
            [1, 0, 0, 0],
        ),
        (["there isn't a cat", "a cat is here but not a dog", "One cat appears", "no dog"], [1, 0, 0, 0]),
        # "B but not N" is right: it denies N, as "N but not B" does not.
        (["a dog, yet the cat is nowhere to be seen", "a cat without a dog", "a cat", "no dog"], [1, 0, 0, 0]),
        (["While a dog is shown, cats are not", "a cat and no dog", "a cat", "no owl"], [1, 0, 0, 0]),
        # Nothing tells: shared.
        (["no owl", "a cat but no dog", "a cat", "no dog"], [0.5, 0, 0, 0.5]),
        (["no owl", "a cat but no dog", "no cat", "no dog"], [0.25] * 4),
    ],
)
def test_absent_object(options, expected):
    np.testing.assert_allclose(absent_object(options), expected)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_order_of_the_options_does_not_matter(rule):
    rng = np.random.default_rng(0)
    words = ["no", "a", "cat", "dog", "but", "owl", "not", "and", "lacks", ",", "free", "-"]
    for _ in range(40):
        options = [" ".join(rng.choice(words, size=rng.integers(6))) for _ in range(4)]
        found = rule(options)
        assert found.sum() == pytest.approx(1)
        assert (found >= 0).all()
        for order in itertools.permutations(range(4)):
            np.testing.assert_allclose(rule([options[i] for i in order]), found[list(order)])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_truth_tables_are_at_chance(rule):
    rng = np.random.default_rng(1)
    writer = CaptionWriter(rng, held_out=True)
    for a, b in [("cat", "dog"), ("owl", "car"), ("bus", "key"), ("cup", "traffic light")]:
        group = build_truth_table_group(a, b, writer, rng)
        credit = rule_credit(rule, [q.options for q in group], np.array([q.answer for q in group]))
        assert credit.sum() == pytest.approx(1)


@pytest.mark.parametrize("held_out", [False, True])
def test_questions_of_negbenchs_form_give_themselves_away(held_out):
    """In the plain templates always, in our varied wording nearly so; the first rule is right on "A and B" alone."""
    rng = np.random.default_rng(2)
    names = ["cat", "dog", "owl", "car", "cup", "bus", "key", "apple", "book", "traffic light"]
    for wording, least in ((NEGBENCH_WORDING, 1), (varied_wording(CaptionWriter(rng, held_out)), 0.97)):
        asked = []
        for n in range(150):
            first, second, absent = rng.permutation(names)[:3]
            asked.append(build_mcq(MCQ_KINDS[n % 3], (str(first), str(second)), str(absent), wording, rng))
        options, answer = [q.options for q in asked], np.array([q.answer for q in asked])
        assert rule_credit(absent_object, options, answer).mean() >= least
        if wording is NEGBENCH_WORDING:
            by_length = rule_credit(longer_affirmation, options, answer).reshape(-1, 3).mean(axis=0)
            np.testing.assert_allclose(by_length[1:], 1 / 3)
            assert by_length[0] > 0.9


@pytest.mark.parametrize(
    ("file", "rule", "expected", "within"),
    [
        ("images/COCO_val_mcq_llama3.1_rephrased.csv", "rule_longer_affirmation", 0.558, 0.01),
        ("videos/msr_vtt_mcq_rephrased_llama.csv", "rule_longer_affirmation", 0.510, 0.01),
        ("images/COCO_val_mcq_llama3.1_rephrased.csv", "rule_absent_object", 0.996, 0.002),
        ("videos/msr_vtt_mcq_rephrased_llama.csv", "rule_absent_object", 0.97, 0.01),
    ],
)
def test_published_files(test_data, file, rule, expected, within):
    asked = texts(test_data / "negbench" / file)
    credit = rule_credit(RULES[rule], asked, np.zeros(len(asked), int))
    assert credit.mean() == pytest.approx(expected, abs=within)
