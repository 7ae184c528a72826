"""Questions from labels: NegBench's multiple choice, and the truth table that cannot be answered blind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from negjax.language.phrases import a
from negjax.synthesis.captions import Writer

CELLS = ("a_only", "b_only", "both", "neither")
MCQ_KINDS = ("positive", "negative", "hybrid")
TRAINING_KINDS = (*MCQ_KINDS, "modified_positive")


@dataclass(frozen=True)
class Question:
    """Options, the index of the right one, the kind of question, and of what kind each option is."""

    options: tuple[str, ...]
    answer: int
    kind: str
    option_kinds: tuple[str, ...]

    def columns(self) -> dict[str, Any]:
        """As the columns of a record."""
        return {
            "options": list(self.options),
            "answer": self.answer,
            "kind": self.kind,
            "option_kinds": list(self.option_kinds),
        }


@dataclass(frozen=True)
class Wording:
    """How the four forms of a NegBench question are said: given two names, or one."""

    pair: Callable[[str, str], str]
    hybrid: Callable[[str, str], str]
    single: Callable[[str], str]
    negative: Callable[[str], str]


# NegBench's own templates, before a language model paraphrases them (arXiv 2501.09425, appendix).
NEGBENCH = Wording(
    pair=lambda x, y: f"This image features {a(x)} and {a(y)}",
    hybrid=lambda x, n: f"This image features {a(x)}, but not {a(n)}",
    single=lambda x: f"This image features {a(x)}",
    negative=lambda n: f"This image does not feature {a(n)}",
)


def varied(writer: Writer) -> Wording:
    """A wording that draws a sentence pattern for each option, as the paraphrased files do."""
    return Wording(
        pair=lambda x, y: writer.affirmative([x, y]),
        hybrid=lambda x, n: writer.negating([x], n),
        single=lambda x: writer.affirmative([x]),
        negative=writer.absent,
    )


def mcq(kind: str, present: tuple[str, str], absent: str, wording: Wording, rng: np.random.Generator) -> Question:
    """A NegBench question of one of TRAINING_KINDS, its options in random order.

    present: A and B, both in the image; absent: N. The right answer is "A and B", "not N", "B, not N" or, for
    "modified_positive" (which only training has), "B"; the distractors are always "N, not B", "N" and "not A".
    Source: arXiv 2501.09425, section 3.
    """
    first, second = present
    right = {
        "positive": lambda: wording.pair(first, second),
        "negative": lambda: wording.negative(absent),
        "hybrid": lambda: wording.hybrid(second, absent),
        "modified_positive": lambda: wording.single(second),
    }[kind]()
    options = [right, wording.hybrid(absent, second), wording.single(absent), wording.negative(first)]
    option_kinds = [kind, "hybrid", "positive", "negative"]
    order = rng.permutation(4)
    return Question(
        tuple(options[i] for i in order), int(np.argmin(order)), kind, tuple(option_kinds[i] for i in order)
    )


def truth_table(first: str, second: str, writer: Writer) -> tuple[str, ...]:
    """Four captions of two names, each true in exactly one of CELLS and in that order.

    Which name comes first is drawn per caption, so that neither order nor position tells the answer.
    """
    return (
        writer.negating([first], second),
        writer.negating([second], first),
        writer.affirmative([first, second]),
        writer.neither([first, second]),
    )


def truth_table_group(first: str, second: str, writer: Writer, rng: np.random.Generator) -> list[Question]:
    """The group's four questions in the order of CELLS: the same four options, in one random order, for each image."""
    captions = truth_table(first, second, writer)
    order = rng.permutation(4)
    options = tuple(captions[i] for i in order)
    cells = tuple(CELLS[i] for i in order)
    return [Question(options, cells.index(kind), kind, cells) for kind in CELLS]
