"""Records from scenes: what is said of a picture, and what is asked about it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from negjax.datasets.scenes.objects import NAMES
from negjax.datasets.scenes.pools import Scene
from negjax.datasets.scenes.world import World
from negjax.synthesis import truth_tables as table
from negjax.synthesis.captions import Writer
from negjax.synthesis.labels import labels_of
from negjax.synthesis.questions import (
    MCQ_KINDS,
    NEGBENCH,
    TRAINING_KINDS,
    Question,
    mcq,
    varied,
)

Record = dict[str, Any]

NEGATED_CAPTIONS = 3  # as NegCap has


def captioned(scene: Scene, writer: Writer, count: int) -> Record:
    """A picture with captions that name all of its objects."""
    return {
        "media": scene.png,
        "captions": [writer.affirmative(scene.names) for _ in range(count)],
        "positive_objects": list(scene.names),
        "negative_objects": [],
    }


def negcap(scene: Scene, world: World, writer: Writer, count: int) -> Record:
    """A picture with captions, and with captions that also name one absent object each."""
    absent = world.absent(scene.names, writer.rng, training=True, count=NEGATED_CAPTIONS)
    return captioned(scene, writer, count) | {
        "negative_objects": absent,
        "negated_captions": [writer.negating(scene.names, name) for name in absent],
    }


def negated(scene: Scene, world: World, writer: Writer, count: int) -> Record:
    """A test picture whose captions name all of its objects and one that is absent."""
    absent = world.absent(scene.names, writer.rng, training=False, count=count)
    return captioned(scene, writer, 0) | {
        "captions": [writer.negating(scene.names, name) for name in absent],
        "negative_objects": absent,
    }


def asked(scene: Scene, question: Question, group: int) -> Record:
    """A picture and a question about it."""
    return {"media": scene.png, "group": group} | question.columns()


def mcq_training(pool: Sequence[Scene], world: World, writer: Writer) -> Iterator[Record]:
    """NegMCQ: one question for each picture of two objects or more, in varied words.

    Besides NegBench's three kinds there is its fourth, "modified_positive", where naming one object is right.
    """
    scenes = [scene for scene in pool if len(scene.names) >= 2]
    for number, scene in enumerate(scenes):
        kind = TRAINING_KINDS[number % len(TRAINING_KINDS)]
        first, second = writer.shuffled(scene.names)[:2]
        (absent,) = world.absent(scene.names, writer.rng, training=True)
        yield asked(scene, mcq(kind, (first, second), absent, varied(writer), writer.rng), number)


def mcq_testing(pool: Sequence[Scene], world: World, rng: np.random.Generator, count: int) -> Iterator[Record]:
    """NegBench's questions in its own templates, the three kinds in turn."""
    for number in range(count):
        scene = pool[int(rng.integers(len(pool)))]
        first, second = (scene.names[i] for i in rng.permutation(len(scene.names))[:2])
        (absent,) = world.absent(scene.names, rng, training=False)
        question = mcq(MCQ_KINDS[number % len(MCQ_KINDS)], (first, second), absent, NEGBENCH, rng)
        yield asked(scene, question, number)


def balanced(scene: Scene, question: Question, group: int, world: World, writer: Writer, count: int) -> Record:
    """A training picture with its captions, as `negcap`, and a question of a truth table: one image serves both."""
    return negcap(scene, world, writer, count) | asked(scene, question, group)


def truth_tables(
    pool: Sequence[Scene], pairs: Sequence[tuple[str, str]], writer: Writer, count: int, reuse: int
) -> Iterator[tuple[Scene, Question, int]]:
    """`count` groups of four questions about a pair (A, B), one picture for each of CELLS, and the group's number.

    A picture stands in at most `reuse` groups. Raises ValueError when the pool runs out.
    """
    labels = labels_of([scene.names for scene in pool], NAMES)
    drawn = (pairs[int(writer.rng.integers(len(pairs)))] for _ in range(10 * count))
    made = 0
    for picture, question, group in table.truth_tables(labels, drawn, writer, count, reuse):
        yield pool[picture], question, group
        made = group + 1
    if made < count:
        raise ValueError(f"{len(pool)} pictures give only {made} of {count} groups: draw more")
