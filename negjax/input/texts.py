"""The texts of a training batch: captions, wrong options, and their length in tokens."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet

LENGTH_STEP = 4  # captions are cut at the longest of the batch, rounded up to this, so that few shapes are compiled


@dataclass(frozen=True)
class TextLength:
    """How many tokens the texts of a batch have.

    Attributes:
        context_length: the most that the model takes.
        trim: whether texts are cut at the longest of the global batch; otherwise all have the context length.
    """

    context_length: int
    trim: bool

    def of(self, data: StoredSet, row_B: np.ndarray, fields: Collection[str]) -> int:
        """The length for texts of these fields ("question" for its options) in these rows of the set."""
        if not self.trim:
            return self.context_length
        columns = {"options" if name == "question" else name for name in fields}
        longest = max(int(data.lengths(name)[row_B].max()) for name in columns)
        return min(-(-longest // LENGTH_STEP) * LENGTH_STEP, self.context_length)


def draw_caption(record: Record, field: str, draw: float) -> str:
    """One of the field's captions; of a question its right option. draw: from [0, 1)."""
    if field == "question":
        return record["options"][record["answer"]]
    return record[field][int(draw * len(record[field]))]


def draw_wrong_options(record: Record, draws_H: np.ndarray) -> list[str]:
    """H wrong options of the record's question, without replacement until all are drawn. draws_H: from [0, 1)."""
    wrong = [text for number, text in enumerate(record["options"]) if number != record["answer"]]
    options, left = [], list(wrong)
    for draw in draws_H:
        left = left or list(wrong)
        options.append(left.pop(int(draw * len(left))))
    return options
