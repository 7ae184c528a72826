"""The derived kind `replaced`: for training, a caption and three wrong ones, each with an object that is not there."""

import numpy as np

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.records import Record
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import Question

WRONG = 3  # captions beside the right one


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make a caption of all objects of an image, and the same sentence with one of them replaced.

    The other object is absent, and occurs elsewhere together with each one of the image: no caption is wrong because it
    is unlikely. Nothing is negated. Images for which there is no such object are left out.

    Args:
        request: how many questions.
        images: the images of the source.
        rng: draws images, objects and sentences.
    """
    labels, writer = images.labels, CaptionWriter(rng, held_out=False, medium=request.medium)
    rows: list[tuple[int, Record]] = []
    for image in map(int, rng.permutation(len(images))):
        present_P = np.flatnonzero(labels.present_IN[image])
        likely_N = labels.absent_IN[image] & (labels.cooccurrence_NN[present_P] > 0).all(axis=0)
        if not len(present_P) or not likely_N.any():
            continue
        names = writer.shuffle(labels.objects_in(image))
        lists = [names]
        for other in rng.choice(np.flatnonzero(likely_N), WRONG, replace=likely_N.sum() < WRONG):
            changed = list(names)
            changed[rng.integers(len(names))] = labels.names[other]
            lists.append(changed)
        texts = writer.write_alike(lists)
        question = Question(tuple(texts), 0, "positive", ("positive",) * len(texts))
        record = {"captions": texts[:1], "positive_objects": names, "negative_objects": [], "group": len(rows)}
        rows.append((image, record | question.columns()))
        if len(rows) == request.groups:
            break
    return DerivedRows(rows, ["captions", "question"], {"task_kind": "train", "negated": False}, len(rows))
