"""Questions about real labels, checked against the labels themselves."""

import re
from collections import Counter

import numpy as np
import pytest

from negjax.synthesis.labelled_questions import (
    AFFIRMATION_BIAS_TEMPLATES,
    build_mcq_questions,
    build_presence_questions,
    select_mcq_images,
)
from negjax.synthesis.labels import build_labels
from negjax.synthesis.questions import MCQ_KINDS

FORMS = {  # NegBench's templates
    "hybrid": r"This image features (.+), but not (.+)",
    "pair": r"This image features (.+) and (.+)",
    "single": r"This image features (.+)",
    "negative": r"This image does not feature (.+)",
}


def remove_article(phrase: str) -> str:
    return re.sub(r"^an? ", "", phrase)


def is_true(option: str, objects: set[str]) -> bool:
    form, match = next((form, match) for form, text in FORMS.items() if (match := re.fullmatch(text, option)))
    present = [remove_article(phrase) in objects for phrase in match.groups()]
    return {
        "hybrid": present[0] and not present[-1],
        "pair": all(present),
        "single": present[0],
        "negative": not present[0],
    }[form]


def test_negbenchs_questions(coco):
    labels, answers = build_labels(coco), Counter()
    questions = list(build_mcq_questions(labels, 10**6, 1, np.random.default_rng(0)))
    assert [image for image, _ in questions] == [i for i, each in enumerate(coco) if len(each) >= 2]
    for number, (image, question) in enumerate(questions):
        assert question.kind == MCQ_KINDS[number % 3]
        assert question.option_kinds[question.answer] == question.kind
        assert [is_true(option, coco[image]) for option in question.options] == [
            index == question.answer for index in range(4)
        ]
        answers[question.answer] += 1
    assert min(answers.values()) > 0.9 * len(questions) / 4


def test_absent_objects_are_those_that_one_expects(coco):
    """The absent object of a question about a fork occurs beside forks more often than objects do on average."""
    labels = build_labels(coco)
    often = Counter(name for each in coco if "fork" in each for name in each)
    forks = sum("fork" in each for each in coco)
    chosen = []
    for image, question in build_mcq_questions(labels, 10**6, 1, np.random.default_rng(0)):
        if "fork" in coco[image]:
            single = question.options[question.option_kinds.index("positive")]
            if question.kind != "positive":
                chosen.append(often[remove_article(re.fullmatch(FORMS["single"], single)[1])] / forks)
    assert np.mean(chosen) > 2 * np.mean([often[name] / forks for name in labels.names])


def test_fewer_and_more_questions_than_images(coco):
    labels = build_labels(coco)
    few = [image for image, _ in build_mcq_questions(labels, 50, 1, np.random.default_rng(0))]
    assert len(set(few)) == 50
    assert few == sorted(few)
    assert few != select_mcq_images(labels)[:50]
    some = build_labels(coco[:30])
    fit = len(select_mcq_images(some))
    uses = Counter(image for image, _ in build_mcq_questions(some, 2 * fit + 5, 3, np.random.default_rng(0)))
    assert sorted(uses.values()) == [2] * (fit - 5) + [3] * 5
    assert len(list(build_mcq_questions(some, 10**6, 3, np.random.default_rng(0)))) == 3 * fit


def test_presence_questions(coco):
    labels = build_labels(coco)
    questions = list(build_presence_questions(labels, 10**6, np.random.default_rng(0)))
    assert len(questions) % 4 == 0
    uses = Counter(image for image, _, _ in questions)
    assert set(uses.values()) == {2}
    assert len(uses) > 0.98 * sum(bool(each) for each in coco)
    for image, question, _ in questions:
        affirmed = question.options[question.option_kinds.index("affirmation")]
        denied = question.options[question.option_kinds.index("negation")]
        name = remove_article(affirmed.removeprefix("This image includes "))
        assert denied == affirmed.replace("includes", "does not include")
        assert question.kind == ("present" if name in coco[image] else "absent")
        assert question.options[question.answer] == (affirmed if name in coco[image] else denied)
    kinds = Counter((image, question.kind) for image, question, _ in questions)
    assert set(kinds.values()) == {1}


@pytest.mark.parametrize("rule", [min, max, lambda options: min(options, key=len), lambda options: options[0]])
def test_presence_cannot_be_told_from_the_options(coco, rule):
    questions = list(build_presence_questions(build_labels(coco), 10**6, np.random.default_rng(1)))
    right = Counter()
    for _, question, pair in questions:
        right[pair] += rule(question.options) == question.options[question.answer]
    assert set(right.values()) == {2}  # of four
    first = Counter(question.option_kinds[0] for _, question, _ in questions)
    assert min(first.values()) > 0.45 * len(questions)


def test_presence_needs_images_that_differ():
    rng = np.random.default_rng(0)
    assert list(build_presence_questions(build_labels([{"a"}, {"a", "b"}, set()]), 9, rng)) == []
    assert list(build_presence_questions(build_labels([{"bear"}, {"teddy bear"}]), 9, rng)) == []
    assert len(list(build_presence_questions(build_labels([{"a", "c"}, {"c", "b"}, {"a"}, {"b"}]), 1, rng))) == 4


def test_bias_templates():
    assert {text.format(a="A", b="B") for text in AFFIRMATION_BIAS_TEMPLATES.values()} == {
        "This image includes A",
        "This image does not include A",
        "This image includes A but does not include B",
        "It is not true that this image does not include A",
    }
