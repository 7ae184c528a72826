"""The derived kind `truth_table`: questions in fours that cannot be answered without the image."""

import numpy as np

from negjax.datasets.derive.kinds import DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages, truth_table_rows
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.questions import TRUTH_TABLE_CELLS


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make truth tables with options in held-out patterns.

    Args:
        request: the number of groups, and how many of them an image may be in.
        images: the images of the source.
        rng: draws pairs of objects, images and options.
    """
    writer = CaptionWriter(rng, held_out=True, medium=request.medium)
    rows = truth_table_rows(request, images, writer, DERIVED_KINDS["truth_table"].max_groups or len(images))
    metadata = {"task_kind": "truth_table", "negated": True}
    return DerivedRows(rows, ["question"], metadata, len(rows) // len(TRUTH_TABLE_CELLS))
