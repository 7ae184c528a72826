"""The derived kind `denied`: for training, a caption, and a wrong one that denies something that the image shows."""

import numpy as np

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.records import Record
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import Question

KINDS = ("present", "absent")  # of the two captions


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make a caption of all objects of an image, and one that names all but one and denies that one.

    The second is always wrong, as in CC-Neg (Singh et al. 2024).

    Args:
        request: how many questions.
        images: the images of the source.
        rng: draws images, objects and sentences.
    """
    writer = CaptionWriter(rng, held_out=False, medium=request.medium)
    fitting = [int(image) for image in rng.permutation(len(images)) if images.labels.present_IN[image].sum() > 1]
    rows: list[tuple[int, Record]] = []
    for image in fitting[: request.groups]:
        *kept, denied = writer.shuffle(images.labels.objects_in(image))
        rows.append((image, question_columns(kept, denied, writer, len(rows))[0]))
    metadata = {"task_kind": "train", "negated": True}
    return DerivedRows(rows, ["captions", "question"], metadata, len(rows), len(images) - len(fitting))


def question_columns(kept: list[str], denied: str, writer: CaptionWriter, group: int) -> list[Record]:
    """The records, without an image, of one that shows all of these objects, and of one that shows all but the denied.

    Args:
        kept: objects of both.
        denied: the object that the second does not show.
        writer: writes the captions.
        group: the number of the question.
    """
    texts = (writer.write_affirmative([*kept, denied]), writer.write_negated(kept, denied))
    objects = (
        {"positive_objects": [*kept, denied], "negative_objects": []},
        {"positive_objects": kept, "negative_objects": [denied]},
    )
    return [
        Question(texts, answer, KINDS[answer], KINDS).columns()
        | objects[answer]
        | {"captions": [texts[answer]], "group": group}
        for answer in range(2)
    ]
