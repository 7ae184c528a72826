"""The derived kind `negated_retrieval`: the captions of each image, with an absent object in each."""

import numpy as np

from negjax.datasets.derive.balanced import plain_texts
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.records import Record
from negjax.synthesis.captions import CaptionWriter


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make a row of each image with captions and an absent object, up to the number asked for.

    Args:
        request: how many images.
        images: the images of the source.
        rng: draws objects and patterns.
    """
    writer = CaptionWriter(rng, held_out=False, medium=request.medium)
    rows: list[tuple[int, Record]] = []
    for image, captions in enumerate(images.captions):
        objects = images.labels.objects_in(image)
        texts = plain_texts(captions, objects)
        absent = images.labels.draw_likely_absent(image, len(texts), rng)
        if absent and len(rows) < (request.groups or len(images)):
            negated = [writer.insert_negation(text, absent[k % len(absent)]) for k, text in enumerate(texts)]
            rows.append((image, {"captions": negated, "positive_objects": objects, "negative_objects": absent}))
    return DerivedRows(
        rows, ["captions"], {"task_kind": "retrieval", "negated": True}, len(rows), len(images) - len(rows)
    )
