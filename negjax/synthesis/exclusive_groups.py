"""Groups of four questions from partial labels, half of whose options negate, that texts alone cannot answer.

Four images each hold an object that the three others lack: A, B, C and D. The same four options are put to all of them:
"A", "B", "C but no D" and "D but no C". Each is right for one image and wrong for three, so a scorer of texts gets
exactly one in four; the two negated ones name the same objects. Unlike truth tables this takes no image with both.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels
from negjax.synthesis.questions import Question

SIZE = 4
MAX_TRIES = 200  # images that are tried as the next one of a group
MAX_ATTEMPTS = 8  # at a group with an image
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
    lacked_N = labels.absent_IN.any(0)
    number = 0
    for first in np.tile(rng.permutation(len(uses_I)), reuse):
        if number == count:
            return
        members = _draw_members(
            labels, int(first), np.flatnonzero(labels.present_IN[first] & lacked_N), uses_I, reuse, rng
        )
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
    labels: ObjectLabels,
    first: int,
    lacked: NDArray[np.int64],
    uses_I: NDArray[np.int64],
    reuse: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Draw four images, `first` among them, each with an object that the others lack; none where there are none.

    lacked: the objects of the first image that some image lacks.
    """
    if uses_I[first] >= reuse or not len(lacked):
        return []
    for attempt in range(MAX_ATTEMPTS):
        # Its objects in turn, because many are lacked by few images.
        members = [(first, int(lacked[attempt % len(lacked)]))]
        while len(members) < SIZE and (member := _draw_member(labels, members, uses_I, reuse, rng)):
            members.append(member)
        if len(members) == SIZE:
            return [members[i] for i in rng.permutation(SIZE)]
    return []


def _draw_member(
    labels: ObjectLabels,
    members: list[tuple[int, int]],
    uses_I: NDArray[np.int64],
    reuse: int,
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """Draw another image, of those in the fewest groups, and its object; None where there is none."""
    images, objects = (list(part) for part in zip(*members))
    candidates = np.flatnonzero((uses_I < reuse) & labels.absent_IN[:, objects].all(1))
    if len(candidates) > MAX_TRIES:
        candidates = rng.choice(candidates, MAX_TRIES, replace=False)
    lacking = np.flatnonzero(labels.absent_IN[images].all(0))
    fitting = np.argwhere(labels.present_IN[np.ix_(candidates, lacking)])
    if not len(fitting):
        return None
    uses_F = uses_I[candidates[fitting[:, 0]]]
    candidate, n = rng.choice(fitting[uses_F == uses_F.min()])
    return int(candidates[candidate]), int(lacking[n])
