"""The derived kind `distractors`: for training, a caption, one that denies an object of it, and an image of each."""

import numpy as np

from negjax.datasets.derive.denied import question_columns
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.datasets.records import Record
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labels import ObjectLabels


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make the questions of `denied` in pairs: each caption is right for one of two images, and wrong for the other.

    The second image of a pair shows all objects of the first but the denied one, and as few others as there are; it is
    CoN-CLIP's distractor (Singh et al. 2024).

    Args:
        request: how many pairs, and how many of them an image may be in.
        images: the images of the source.
        rng: draws images, objects and sentences.
    """
    writer = CaptionWriter(rng, held_out=False, medium=request.medium)
    uses_I = np.zeros(len(images), int)
    count = request.groups or max(1, len(images) // 2)
    rows: list[tuple[int, Record]] = []
    for image in map(int, rng.permutation(len(images))):
        names = writer.shuffle(images.labels.objects_in(image))
        if len(rows) == 2 * count:
            break
        if len(names) < 2 or uses_I[image] >= request.max_uses:
            continue
        for turn in range(len(names)):
            *kept, denied = names[turn:] + names[:turn]
            distractor = _draw_distractor(images.labels, kept, denied, uses_I < request.max_uses, rng)
            if distractor is not None:
                both = [image, distractor]
                rows += zip(both, question_columns(kept, denied, writer, len(rows) // 2))
                uses_I[both] += 1
                break
    metadata = {"task_kind": "train", "negated": True, "group_size": 2}
    return DerivedRows(rows, ["captions", "question"], metadata, len(rows) // 2)


def _draw_distractor(
    labels: ObjectLabels, kept: list[str], denied: str, available_I: np.ndarray, rng: np.random.Generator
) -> int | None:
    """One of the images with the fewest objects that show the kept ones and surely not the denied; None without one."""
    columns = [labels.names.index(name) for name in kept]
    fits_I = available_I & labels.absent_IN[:, labels.names.index(denied)]
    fitting = np.flatnonzero(fits_I & labels.present_IN[:, columns].all(axis=1))
    if not len(fitting):
        return None
    objects = labels.present_IN[fitting].sum(axis=1)
    return int(rng.choice(fitting[objects == objects.min()]))
