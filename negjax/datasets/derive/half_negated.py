"""The derived kind `half_negated`: questions in fours without a shortcut, with a negation in half of the options."""

import numpy as np

from negjax.datasets.derive.kinds import DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages, question_rows
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.exclusive_groups import SIZE, build_exclusive_groups


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make questions in groups of four: each option is right for one image of its group and wrong for three.

    Args:
        request: the number of groups, and how many of them an image may be in.
        images: the images of the source.
        rng: draws objects, images and options.
    """
    writer = CaptionWriter(rng, held_out=True, medium=request.medium)
    count = request.groups or DERIVED_KINDS["half_negated"].max_groups or len(images)
    rows = question_rows(build_exclusive_groups(images.labels, writer, count, request.max_uses))
    return DerivedRows(rows, ["question"], {"task_kind": "mcq", "negated": True}, len(rows) // SIZE)
