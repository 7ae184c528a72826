"""Groups of four questions from partial labels, half of whose options negate, that texts alone cannot answer.

Four images each hold an object that the three others lack: A, B, C and D. The same four options are put to all of them:
"A", "B", "C but no D" and "D but no C". Each is right for one image and wrong for three, so a scorer of texts gets
exactly one in four; the two negated ones name the same objects. Unlike truth tables this takes no image with both.
"""

from collections.abc import Iterator

import numpy as np

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels
from negjax.synthesis.questions import Question

SIZE = 4
MAX_TRIES = 200  # images that are tried as the next one of a group
_KINDS = ("positive", "positive", "hybrid", "hybrid")


def build_exclusive_groups(
    labels: ObjectLabels, writer: CaptionWriter, count: int, reuse: int
) -> Iterator[tuple[int, Question, int]]:
    """Build groups of four questions.

    Args:
        labels: the labels of the images.
        writer: writes the options, and draws.
        count: the largest number of groups.
        reuse: the largest number of groups that an image may be in.

    Yields:
        The row of an image, a question about it, and the number of the group.
    """
    rng = writer.rng
    uses_I = np.zeros(len(labels.present_IN), int)
    number = 0
    for first in np.tile(rng.permutation(len(uses_I)), reuse):
        if number == count:
            return
        members = _draw_members(labels, int(first), uses_I < reuse, rng)
        if not members:
            continue
        names = [labels.names[n] for _, n in members]
        options = [
            writer.write_affirmative(names[:1]),
            writer.write_affirmative(names[1:2]),
            writer.write_negated([names[2]], names[3]),
            writer.write_negated([names[3]], names[2]),
        ]
        order = rng.permutation(SIZE).tolist()
        texts, kinds = tuple(options[i] for i in order), tuple(_KINDS[i] for i in order)
        for right, (image, _) in enumerate(members):
            uses_I[image] += 1
            yield image, Question(texts, order.index(right), _KINDS[right], kinds), number
        number += 1


def _draw_members(
    labels: ObjectLabels, first: int, available_I: np.ndarray, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw four images, `first` among them, each with an object that the others lack; none where there are none."""
    if not available_I[first] or not labels.present_IN[first].any():
        return []
    members = [(first, int(rng.choice(np.flatnonzero(labels.present_IN[first]))))]
    while len(members) < SIZE:
        images, objects = (list(part) for part in zip(*members))
        lacking_N = labels.absent_IN[images].all(0)
        candidates = np.flatnonzero(available_I & labels.absent_IN[:, objects].all(1))
        for image in rng.permutation(candidates)[:MAX_TRIES]:
            fitting = np.flatnonzero(labels.present_IN[image] & lacking_N)
            if len(fitting):
                members.append((int(image), int(rng.choice(fitting))))
                break
        else:
            return []
    return [members[i] for i in rng.permutation(SIZE)]
