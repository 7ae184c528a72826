"""The kinds of derived sets: one line of the table for each, and one module that makes its rows.

To add a kind NAME, write `negjax/datasets/derive/NAME.py` with a function `make_rows` like those of the others, and
add a line to DERIVED_KINDS. The choices and the help of `negjax data derive` follow from the table. This module
imports nothing heavy, because the command line reads it for every `--help`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from negjax.datasets.derive.request import DeriveRequest
    from negjax.datasets.derive.rows import DerivedRows, LabelledImages

    RowMaker = Callable[[DeriveRequest, LabelledImages, np.random.Generator], DerivedRows]

DEFAULT_LEAST = 5  # images that answer a query, and as many that only its exclusion rules out


@dataclass(frozen=True)
class DerivedKind:
    """A kind of derived set.

    Attributes:
        summary: what the set is, for the help of the command.
        parts: what `--groups` counts: "groups" of four questions, "questions", "queries" or "pairs of images".
        default_groups: how many parts are made without `--groups`, for the help.
        requires: what the labels of the source must contain, for errors.
        reuse: the default of `--reuse`, how many groups or questions an image may be in; None where there is no limit.
        max_groups: the largest number of parts without `--groups`; None where the source decides.
        has_least: whether `--least` applies.
        partial_labels: whether labels from captions are enough, of which only the listed absences are known.
    """

    summary: str
    parts: str
    default_groups: str
    requires: str
    reuse: int | None = None
    max_groups: int | None = None
    has_least: bool = False
    partial_labels: bool = True


_REQUIRES_PAIR = "it takes two objects with images of each alone, of both and of neither"
DERIVED_KINDS = {
    "truth_table": DerivedKind(
        "questions in fours that cannot be answered without the image",
        "groups",
        "up to 2,000",
        _REQUIRES_PAIR,
        reuse=4,
        max_groups=2_000,
    ),
    "questions": DerivedKind(
        "NegBench's multiple choice, in its own templates",
        "questions",
        "one for each image of two objects",
        "it takes an image of two objects, and a third one that is absent",
        reuse=1,
    ),
    "balanced": DerivedKind(
        "for training: captions, negated captions and truth tables",
        "groups",
        "a quarter of the images",
        _REQUIRES_PAIR,
        reuse=4,
    ),
    "half_negated": DerivedKind(
        "questions in fours, half of the options negated, no shortcut",
        "groups",
        "up to 2,000",
        "it takes four images, each with an object that the three others lack",
        reuse=4,
        max_groups=2_000,
    ),
    "negfull": DerivedKind(
        "for training: captions, negated captions, NegBench's questions",
        "questions",
        "one for each image of two objects",
        "it takes an image of two objects, and a third one that is absent",
        reuse=1,
    ),
    "negated_retrieval": DerivedKind(
        "retrieval: the captions, each with an absent object",
        "images",
        "all with an absent object",
        "it takes an image with captions and an absent object",
    ),
    "queries": DerivedKind(
        'negated retrieval: "A but no B", judged by the labels',
        "queries",
        "up to 500",
        "it takes an object that occurs both with another and without it",
        max_groups=500,
        has_least=True,
        partial_labels=False,
    ),
    "affirmation": DerivedKind(
        '"This image includes A" or "does not include A"',
        "pairs of images",
        "as many as there are",
        "it takes two images, each with an object that the other lacks",
    ),
    "replaced": DerivedKind(
        "for training: a caption, and three with an object that is not there",
        "questions",
        "one for each image that allows one",
        "it takes an image that lacks an object which occurs together with those that it has",
    ),
    "denied": DerivedKind(
        "for training: a caption, and one that denies an object of the image",
        "questions",
        "one for each image of two objects",
        "it takes an image of two objects",
    ),
    "distractors": DerivedKind(
        "the same with an image of which the second caption is true",
        "pairs of images",
        "half as many as there are images",
        "it takes an image of two objects, and another one that shows all of them but one",
        reuse=4,
    ),
}


def kinds_with_reuse() -> list[str]:
    """Return the kinds that `--reuse` applies to, in the order of the table."""
    return [name for name, kind in DERIVED_KINDS.items() if kind.reuse is not None]


def load_row_maker(kind: str) -> "RowMaker":
    """Import the function that makes the rows of a kind.

    Args:
        kind: a key of DERIVED_KINDS.
    """
    return importlib.import_module(f"negjax.datasets.derive.{kind}").make_rows
