"""The derived kind `balanced`: for training, each image with captions, negated captions and a truth-table question."""

from collections.abc import Sequence

import numpy as np

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages, question_rows, truth_table_rows
from negjax.datasets.records import Record
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated
from negjax.synthesis.captions import NEGCAP_NEGATIONS, CaptionWriter
from negjax.synthesis.exclusive_groups import build_exclusive_groups
from negjax.synthesis.questions import TRUTH_TABLE_CELLS


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make truth tables with options in training patterns, and negated captions of the same images.

    Of partial labels, groups of exclusive objects take the place of truth tables.

    The default number of groups puts each image into one of them on average.

    Args:
        request: the number of groups, and how many of them an image may be in.
        images: the images of the source.
        rng: draws pairs of objects, images, options and captions.

    Raises:
        NegjaxError: for an image that holds every object.
    """
    writer = CaptionWriter(rng, held_out=False, medium=request.medium)
    max_groups = max(1, len(images) // len(TRUTH_TABLE_CELLS))
    if images.labels.known_absent_IN is None:
        questions = truth_table_rows(request, images, writer, max_groups)
    else:  # of partial labels, few give an image for each cell of a truth table
        count = request.groups or max_groups
        questions = question_rows(build_exclusive_groups(images.labels, writer, count, request.max_uses))
    rows = [(image, question | caption_columns(images, image, writer)) for image, question in questions]
    metadata = {"task_kind": "train", "negated": True, "group_size": len(TRUTH_TABLE_CELLS)}
    return DerivedRows(
        rows, ["captions", "negated_captions", "question"], metadata, len(rows) // len(TRUTH_TABLE_CELLS)
    )


def caption_columns(images: LabelledImages, image: int, writer: CaptionWriter) -> Record:
    """Build the captions and negated captions of an image, the latter from its captions where it has any.

    Args:
        images: the images of the source.
        image: the number of the image.
        writer: writes the negated captions, and draws.

    Raises:
        NegjaxError: the image is not known to lack any object.
    """
    absent = images.labels.draw_likely_absent(image, NEGCAP_NEGATIONS, writer.rng)
    if not absent:
        raise NegjaxError("an image holds every object, so that no caption can say what is absent: add objects")
    captions, objects = images.captions[image], images.labels.objects_in(image)
    texts = plain_texts(captions, objects)
    return {
        "captions": list(captions),
        "positive_objects": objects,
        "negative_objects": absent,
        "negated_captions": [
            writer.insert_negation(texts[int(writer.rng.integers(len(texts)))], name)
            if texts
            else writer.write_absent(name)
            for name in absent
        ],
    }


def plain_texts(captions: Sequence[str], objects: Sequence[str]) -> list[str]:
    """The captions that another absent object can be added to: not those that only deny one themselves.

    Args:
        captions: of an image.
        objects: in the image.
    """
    return [caption for caption in captions if caption.strip() and (objects or not is_negated(caption))]
