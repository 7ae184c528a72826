"""Records of scenes: the captions and the questions that go with a drawn image."""

from collections.abc import Iterator, Sequence

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.scenes.combinations import CombinationSplit
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.scenes.pool import Scene
from negjax.synthesis.captions import NEGCAP_NEGATIONS, CaptionWriter
from negjax.synthesis.labels import build_labels
from negjax.synthesis.questions import (
    MCQ_KINDS,
    NEGBENCH_WORDING,
    NEGMCQ_KINDS,
    Question,
    build_mcq,
    varied_wording,
)
from negjax.synthesis.truth_tables import build_truth_tables


def caption_record(scene: Scene, writer: CaptionWriter, count: int) -> Record:
    """Build a record with `count` captions that name all objects of the scene."""
    return {
        "media": scene.png,
        "captions": [writer.write_affirmative(scene.names) for _ in range(count)],
        "positive_objects": list(scene.names),
        "negative_objects": [],
    }


def negcap_record(scene: Scene, split: CombinationSplit, writer: CaptionWriter, count: int) -> Record:
    """Build a training record with `count` captions, and negated captions that also name one absent object each."""
    absent = split.draw_absent(scene.names, writer.rng, training=True, count=NEGCAP_NEGATIONS)
    return caption_record(scene, writer, count) | {
        "negative_objects": absent,
        "negated_captions": [writer.write_negated(scene.names, name) for name in absent],
    }


def negated_retrieval_record(scene: Scene, split: CombinationSplit, writer: CaptionWriter, count: int) -> Record:
    """Build a test record with `count` captions that name all objects of the scene and one absent object each."""
    absent = split.draw_absent(scene.names, writer.rng, training=False, count=count)
    return caption_record(scene, writer, 0) | {
        "captions": [writer.write_negated(scene.names, name) for name in absent],
        "negative_objects": absent,
    }


def question_record(scene: Scene, question: Question, group: int) -> Record:
    """Build a record with a question about the scene."""
    return {"media": scene.png, "group": group} | question.columns()


def balanced_record(
    scene: Scene, question: Question, group: int, split: CombinationSplit, writer: CaptionWriter, count: int
) -> Record:
    """Build a training record with the captions of `negcap_record` and a question of a truth table."""
    return negcap_record(scene, split, writer, count) | question_record(scene, question, group)


def negmcq_records(scenes: Sequence[Scene], split: CombinationSplit, writer: CaptionWriter) -> Iterator[Record]:
    """Build NegMCQ training records: one question in varied words about each scene of two objects or more.

    The kinds of NEGMCQ_KINDS come in turn. The group is the number of the question.
    """
    for number, scene in enumerate(scene for scene in scenes if len(scene.names) >= 2):
        kind = NEGMCQ_KINDS[number % len(NEGMCQ_KINDS)]
        first, second = writer.shuffle(scene.names)[:2]
        (absent,) = split.draw_absent(scene.names, writer.rng, training=True)
        question = build_mcq(kind, (first, second), absent, varied_wording(writer), writer.rng)
        yield question_record(scene, question, number)


def mcq_records(
    scenes: Sequence[Scene], split: CombinationSplit, rng: np.random.Generator, count: int
) -> Iterator[Record]:
    """Build `count` test records with questions in NegBench's own templates, the kinds of MCQ_KINDS in turn."""
    for number in range(count):
        scene = scenes[int(rng.integers(len(scenes)))]
        first, second = (scene.names[i] for i in rng.permutation(len(scene.names))[:2])
        (absent,) = split.draw_absent(scene.names, rng, training=False)
        kind = MCQ_KINDS[number % len(MCQ_KINDS)]
        yield question_record(scene, build_mcq(kind, (first, second), absent, NEGBENCH_WORDING, rng), number)


def draw_truth_tables(
    scenes: Sequence[Scene], pairs: Sequence[tuple[str, str]], writer: CaptionWriter, count: int, reuse: int
) -> Iterator[tuple[Scene, Question, int]]:
    """Draw truth tables about pairs of objects, with scenes for their four cells.

    Args:
        scenes: the scenes to choose from.
        pairs: the pairs to choose from.
        writer: writes the options, and draws.
        count: the number of groups of four questions.
        reuse: the largest number of groups that a scene may be in.

    Yields:
        A scene, a question about it, and the number of the group.

    Raises:
        ValueError: when the scenes are too few.
    """
    labels = build_labels([scene.names for scene in scenes], OBJECT_NAMES)
    drawn_pairs = (pairs[int(writer.rng.integers(len(pairs)))] for _ in range(10 * count))
    groups = 0
    for image, question, group in build_truth_tables(labels, drawn_pairs, writer, count, reuse):
        yield scenes[image], question, group
        groups = group + 1
    if groups < count:
        raise ValueError(f"{len(scenes)} images give only {groups} of {count} groups: draw more")
