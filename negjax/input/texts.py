"""The texts of a training batch, captions and options of questions, and how many tokens they have.

Which text is used follows from random numbers alone, so that every host knows the lengths of all texts of a global
batch without reading them. Shapes: B rows, H hard negatives of a row, O options, G groups of rows that share theirs.
"""

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet

RIGHT_OPTION = "question"  # in place of a field of captions: the right option is the caption


def draw_caption(record: Record, field: str, draw: float) -> str:
    """One of the field's captions; of a question its right option. draw: from [0, 1)."""
    if field == RIGHT_OPTION:
        return record["options"][record["answer"]]
    return record[field][int(draw * len(record[field]))]


def draw_wrong_options(record: Record, draws_H: np.ndarray) -> list[str]:
    """H wrong options of the record's question, without replacement until all are drawn. draws_H: from [0, 1)."""
    return [record["options"][number] for number in _wrong_options(len(record["options"]), record["answer"], draws_H)]


def caption_lengths(data: StoredSet, field_B: np.ndarray, row_B: np.ndarray, draw_B: np.ndarray) -> np.ndarray:
    """Tokens of what `draw_caption` draws, int64 [B]; at least those for sets of earlier versions.

    Args:
        data: the set of the rows.
        field_B: the field of each row's caption.
        row_B: the rows.
        draw_B: from [0, 1).
    """
    length_B = np.zeros(len(row_B), np.int64)
    for field in set(field_B.tolist()):
        chosen = field_B == field
        rows, draws = row_B[chosen], draw_B[chosen]
        if field == RIGHT_OPTION:
            length_B[chosen] = _option_lengths(data, rows, _answers(data, rows))
        else:
            length_B[chosen] = data.lengths(field).drawn(rows, draws)
    return length_B


def wrong_option_lengths(data: StoredSet, row_B: np.ndarray, draw_BH: np.ndarray) -> np.ndarray:
    """Tokens of what `draw_wrong_options` draws, int64 [B H]; at least those for sets of earlier versions."""
    count_R, answers = data.lengths("options").count_R, _answers(data, row_B)
    if count_R is None:
        return _option_lengths(data, row_B.repeat(draw_BH.shape[1]), answers)
    number_BH = [
        _wrong_options(count, answer, draws_H) for count, answer, draws_H in zip(count_R[row_B], answers, draw_BH)
    ]
    return _option_lengths(data, row_B.repeat(draw_BH.shape[1]), np.array(number_BH, np.int64).ravel())


def option_lengths(data: StoredSet, row_G: np.ndarray) -> np.ndarray:
    """Tokens of all options of the questions in these rows, int64 [G, O]; at least those for sets of earlier versions.

    Args:
        data: a set of questions.
        row_G: its rows, with as many options as the first one; of a row with fewer its last one counts again.
    """
    count_R = data.lengths("options").count_R
    first = int(row_G[0])
    options = len(data[first]["options"]) if count_R is None else int(count_R[first])
    row_X, number_X = row_G.repeat(options), np.tile(np.arange(options), len(row_G))
    if count_R is not None:
        number_X = np.minimum(number_X, count_R[row_X] - 1)
    return _option_lengths(data, row_X, number_X).reshape(len(row_G), options)


def _wrong_options(options: int, answer: int, draws_H: np.ndarray) -> list[int]:
    """H numbers of options other than the answer, without replacement until all are drawn."""
    wrong = [number for number in range(options) if number != answer]
    drawn, left = [], list(wrong)
    for draw in draws_H:
        left = left or list(wrong)
        drawn.append(left.pop(int(draw * len(left))))
    return drawn


def _option_lengths(data: StoredSet, row_X: np.ndarray, number_X: np.ndarray) -> np.ndarray:
    return data.lengths("options").numbered(row_X, number_X)


def _answers(data: StoredSet, row_B: np.ndarray) -> np.ndarray:
    """The right options; zeros for sets of earlier versions, whose lengths are the same for all options of a row."""
    return np.zeros(len(row_B), np.int64) if data.answers is None else data.answers[row_B]
