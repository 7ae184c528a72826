"""Input and output of the derived kinds: labelled images in, rows that refer to these images by number out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.records import Record
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels
from negjax.synthesis.questions import Question
from negjax.synthesis.truth_tables import build_truth_tables, draw_co_occurring_pairs


@dataclass(frozen=True)
class LabelledImages:
    """The distinct images of the source.

    Attributes:
        labels: the object labels of the images.
        captions: the captions of each image.
    """

    labels: ObjectLabels
    captions: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.captions)


@dataclass(frozen=True)
class DerivedRows:
    """A derived set before its images are copied.

    Attributes:
        rows: for each row the number of its image in the source, and the record without the image.
        fields: the fields of the set, keys of `negjax.datasets.records.COLUMNS`.
        metadata: the metadata that the kind adds to the set.
        parts: number of groups, questions, queries or pairs of images.
        skipped: number of images that no question fits.
    """

    rows: Sequence[tuple[int, Record]]
    fields: Sequence[str]
    metadata: Mapping[str, Any]
    parts: int
    skipped: int = 0


def question_rows(questions: Iterable[tuple[int, Question, int]]) -> list[tuple[int, Record]]:
    """Build rows from questions.

    Args:
        questions: the number of an image, a question about it, and the number of its group.
    """
    return [(image, question.columns() | {"group": group}) for image, question, group in questions]


def truth_table_rows(
    request: DeriveRequest, images: LabelledImages, writer: CaptionWriter, max_groups: int
) -> list[tuple[int, Record]]:
    """Build the rows of truth tables, four for each group.

    Args:
        request: the number of groups, and how many of them an image may be in.
        images: the images of the source.
        writer: writes the options, and draws.
        max_groups: the largest number of groups, for a request without one.
    """
    pairs = draw_co_occurring_pairs(images.labels, writer.rng)
    count = request.groups or max_groups
    return question_rows(build_truth_tables(images.labels, pairs, writer, count, request.max_uses))
