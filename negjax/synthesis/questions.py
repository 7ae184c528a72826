"""Questions about one image from object names: NegBench's multiple choice, and truth tables.

NegBench's construction is in arXiv 2501.09425, section 3 and appendix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from negjax.language.phrases import with_article
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.mediums import NOUNS, Medium

# Which of two objects A and B an image holds: the kinds of the four questions of a truth table, in their order.
TRUTH_TABLE_CELLS = ("a_only", "b_only", "both", "neither")
MCQ_KINDS = ("positive", "negative", "hybrid")  # the form of the right option in NegBench's test questions
NEGMCQ_KINDS = (*MCQ_KINDS, "modified_positive")  # likewise in its training set NegMCQ


@dataclass(frozen=True)
class Question:
    """A multiple-choice question about an image.

    Attributes:
        options: the captions to choose from.
        answer: the index of the right one.
        kind: the kind of question, of NEGMCQ_KINDS, TRUTH_TABLE_CELLS or "present" and "absent".
        option_kinds: the kind of each option.
    """

    options: tuple[str, ...]
    answer: int
    kind: str
    option_kinds: tuple[str, ...]

    def columns(self) -> dict[str, Any]:
        """Return the question as columns of a record."""
        return {
            "options": list(self.options),
            "answer": self.answer,
            "kind": self.kind,
            "option_kinds": list(self.option_kinds),
        }


@dataclass(frozen=True)
class OptionWording:
    """Functions that write the four forms of a NegBench option.

    Attributes:
        pair: names of two present objects to "A and B".
        hybrid: the names of a present and an absent object to "A, but not N".
        single: the name of a present object to "A".
        negative: the name of an absent object to "not N".
    """

    pair: Callable[[str, str], str]
    hybrid: Callable[[str, str], str]
    single: Callable[[str], str]
    negative: Callable[[str], str]


def negbench_wording(medium: Medium) -> OptionWording:
    """NegBench's own templates, before a language model paraphrases them.

    Those of X-rays are the ones of its CheXpert files. Source: arXiv 2501.09425, appendix.

    Args:
        medium: what the images are.
    """
    image, verb = f"This {NOUNS[medium]}", "show" if medium == "xray" else "feature"
    return OptionWording(
        pair=lambda first, second: f"{image} {verb}s {with_article(first)} and {with_article(second)}",
        hybrid=lambda present, absent: f"{image} {verb}s {with_article(present)}, but not {with_article(absent)}",
        single=lambda present: f"{image} {verb}s {with_article(present)}",
        negative=lambda absent: f"{image} does not {verb} {with_article(absent)}",
    )


NEGBENCH_WORDING = negbench_wording("photo")


def varied_wording(writer: CaptionWriter) -> OptionWording:
    """Build a wording that draws a sentence pattern for each option, as NegBench's paraphrased files vary theirs.

    Args:
        writer: draws and fills in the patterns.
    """
    return OptionWording(
        pair=lambda first, second: writer.write_affirmative([first, second]),
        hybrid=lambda present, absent: writer.write_negated([present], absent),
        single=lambda present: writer.write_affirmative([present]),
        negative=writer.write_absent,
    )


def build_mcq(
    kind: str, present: tuple[str, str], absent: str, wording: OptionWording, rng: np.random.Generator
) -> Question:
    """Build a NegBench question, its four options in random order.

    The right option is "A and B" (positive), "not N" (negative), "B, but not N" (hybrid) or "B" (modified_positive).
    The wrong ones are always "N, but not B", "N" and "not A". Source: arXiv 2501.09425, section 3.

    Args:
        kind: one of NEGMCQ_KINDS.
        present: the objects A and B, both in the image.
        absent: the object N, not in the image.
        wording: puts the options into words.
        rng: draws the order of the options.
    """
    first, second = present
    right_option = {
        "positive": lambda: wording.pair(first, second),
        "negative": lambda: wording.negative(absent),
        "hybrid": lambda: wording.hybrid(second, absent),
        "modified_positive": lambda: wording.single(second),
    }[kind]()
    options = [right_option, wording.hybrid(absent, second), wording.single(absent), wording.negative(first)]
    option_kinds = [kind, "hybrid", "positive", "negative"]
    order = rng.permutation(4)
    return Question(
        tuple(options[i] for i in order), int(np.argmin(order)), kind, tuple(option_kinds[i] for i in order)
    )


def write_truth_table(first: str, second: str, writer: CaptionWriter) -> tuple[str, ...]:
    """Write four captions about two objects, each true in exactly one cell.

    Which name comes first is drawn for each caption, so that neither order nor position gives the answer away.

    Args:
        first: the object A.
        second: the object B.
        writer: writes the captions.

    Returns:
        A caption for each of TRUTH_TABLE_CELLS, in that order.
    """
    return (
        writer.write_negated([first], second),
        writer.write_negated([second], first),
        writer.write_affirmative([first, second]),
        writer.write_neither([first, second]),
    )


def build_truth_table_group(first: str, second: str, writer: CaptionWriter, rng: np.random.Generator) -> list[Question]:
    """Build a truth table's four questions: the same four options, in one random order, for four images.

    Args:
        first: the object A.
        second: the object B.
        writer: writes the options.
        rng: draws the order of the options.

    Returns:
        A question for each of TRUTH_TABLE_CELLS, in that order.
    """
    captions = write_truth_table(first, second, writer)
    order = rng.permutation(4)
    options = tuple(captions[i] for i in order)
    option_kinds = tuple(TRUTH_TABLE_CELLS[i] for i in order)
    return [Question(options, option_kinds.index(cell), cell, option_kinds) for cell in TRUTH_TABLE_CELLS]
