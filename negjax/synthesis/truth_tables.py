"""Truth tables over labelled images: groups of four questions that cannot be answered without the images.

For two objects A and B there is an image with A only, one with B only, one with both and one with neither, and the
same four options are put to each. Each option is right once, so a model that sees only the options gets one in four.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import csr_array

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels
from negjax.synthesis.questions import Question, build_truth_table_group


def build_truth_tables(
    labels: ObjectLabels, pairs: Iterable[tuple[str, str]], writer: CaptionWriter, count: int, reuse: int
) -> Iterator[tuple[int, Question, int]]:
    """Build groups of four questions.

    Args:
        labels: the labels of the images.
        pairs: pairs of objects to try in order, each for one group; skipped when a cell has no image left.
        writer: writes the options, and draws.
        count: the largest number of groups.
        reuse: the largest number of groups that an image may be in.

    Yields:
        The row of an image, a question about it, and the number of the group; the questions of a group in the order
        of TRUTH_TABLE_CELLS.
    """
    rng = writer.rng
    column = {name: n for n, name in enumerate(labels.names)}
    uses_I = np.zeros(len(labels.present_IN), int)
    usable_I = np.ones(len(uses_I), bool) if labels.known_absent_IN is None else labels.absent_IN.any(1)
    group = 0
    for pair in pairs:
        first, second = writer.shuffle(pair)
        has_first_I, has_second_I = labels.present_IN[:, column[first]], labels.present_IN[:, column[second]]
        no_first_I, no_second_I = labels.absent_IN[:, column[first]], labels.absent_IN[:, column[second]]
        available_I = (uses_I < reuse) & usable_I
        candidates = {
            "a_only": available_I & has_first_I & no_second_I,
            "b_only": available_I & no_first_I & has_second_I,
            "both": available_I & has_first_I & has_second_I,
            "neither": available_I & no_first_I & no_second_I,
        }
        if not all(fits_I.any() for fits_I in candidates.values()):
            continue
        for question in build_truth_table_group(first, second, writer, rng):
            image = rng.choice(np.flatnonzero(candidates[question.kind]))
            uses_I[image] += 1
            yield int(image), question, group
        group += 1
        if group == count:
            return


def draw_co_occurring_pairs(labels: ObjectLabels, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Draw pairs of objects for truth tables.

    A pair that is frequent in all four cells comes early and often; one without images in a cell never comes. Pairs
    with similar names (a bear and a teddy bear) are skipped.

    Args:
        labels: the labels of the images.
        rng: draws the order.

    Yields:
        Each pair as often as its rarest cell has images, in random order.
    """
    present_IN, absent_IN = csr_array(labels.present_IN, dtype=np.int64), labels.absent_IN
    only_NN = present_IN.T @ absent_IN.astype(np.int32)
    rarest_NN = np.minimum.reduce([labels.cooccurrence_NN, only_NN, only_NN.T])
    first, second = np.nonzero(np.triu(rarest_NN * ~labels.similar_NN, 1))
    neither = np.array([np.count_nonzero(absent_IN[:, a] & absent_IN[:, b]) for a, b in zip(first, second)], np.int64)
    rarest = np.minimum(rarest_NN[first, second], neither)
    first, second, rarest = first[rarest > 0], second[rarest > 0], rarest[rarest > 0]
    for pair in rng.permutation(np.repeat(np.arange(len(first)), rarest)):
        yield labels.names[first[pair]], labels.names[second[pair]]
