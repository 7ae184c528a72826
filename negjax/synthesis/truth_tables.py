"""Truth tables over labelled images: questions in fours that nobody can answer without looking.

For a pair of objects A and B there is an image of A only, one of B only, one of both and one of neither, and of each
the same four options are asked. Every option is right once, so that whoever sees the options alone gets one in four.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from negjax.synthesis.captions import Writer
from negjax.synthesis.labels import Labels
from negjax.synthesis.questions import Question, truth_table_group


def truth_tables(
    labels: Labels, pairs: Iterable[tuple[str, str]], writer: Writer, count: int, reuse: int
) -> Iterator[tuple[int, Question, int]]:
    """Up to `count` groups of four questions: (image, question, number of the group), a group's in the order of CELLS.

    pairs: the pairs to try, in order, one group each. One is passed over when a cell has no image left.
    reuse: in how many groups an image may stand.
    """
    rng = writer.rng
    column = {name: n for n, name in enumerate(labels.names)}
    uses = np.zeros(len(labels.holds_IN), int)
    group = 0
    for pair in pairs:
        first, second = writer.shuffled(pair)
        has_first, has_second = labels.holds_IN[:, column[first]], labels.holds_IN[:, column[second]]
        no_first, no_second = labels.absent_IN[:, column[first]], labels.absent_IN[:, column[second]]
        free = uses < reuse
        cells = {
            "a_only": free & has_first & no_second,
            "b_only": free & no_first & has_second,
            "both": free & has_first & has_second,
            "neither": free & no_first & no_second,
        }
        if not all(fits.any() for fits in cells.values()):
            continue
        for question in truth_table_group(first, second, writer, rng):
            chosen = rng.choice(np.flatnonzero(cells[question.kind]))
            uses[chosen] += 1
            yield int(chosen), question, group
        group += 1
        if group == count:
            return


def co_occurring_pairs(labels: Labels, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Pairs of objects for truth tables: each as often as its rarest cell has images, in random order.

    So a pair that is common in all four ways comes early and often, and one that is never together never. Pairs of
    names that are alike (a bear and a teddy bear) are left out.
    """
    holds_IN, absent_IN = labels.holds_IN.astype(np.float64), labels.absent_IN.astype(np.float64)
    only_NN = holds_IN.T @ absent_IN
    rarest_NN = np.minimum.reduce([labels.together_NN, only_NN, only_NN.T, absent_IN.T @ absent_IN]).astype(np.int64)
    first, second = np.nonzero(np.triu(rarest_NN * ~labels.alike_NN, 1))
    for pair in rng.permutation(np.repeat(np.arange(len(first)), rarest_NN[first, second])):
        yield labels.names[first[pair]], labels.names[second[pair]]
