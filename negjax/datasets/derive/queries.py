"""The derived kind `queries`: negated retrieval, "A but no B", judged by the labels."""

from dataclasses import asdict

import numpy as np

from negjax.datasets.derive.kinds import DEFAULT_LEAST, DERIVED_KINDS
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.queries import build_queries


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make queries, which go to the metadata, and one row for each image of the source.

    Args:
        request: how many queries, and how many images each needs. Without the latter, DEFAULT_LEAST or the largest
            smaller number that the labels allow.
        images: the images of the source.
        rng: draws objects and patterns.
    """
    writer = CaptionWriter(rng, held_out=True, medium=request.medium)
    count = request.groups or DERIVED_KINDS["queries"].max_groups or len(images)
    for least in [request.least] if request.least else range(DEFAULT_LEAST, 0, -1):
        queries = build_queries(images.labels, count, least, writer)
        if queries:
            break
    metadata = {
        "task_kind": "queries",
        "negated": True,
        "least": least,
        "queries": [asdict(query) for query in queries],
    }
    rows = [(image, {"positive_objects": images.labels.objects_in(image)}) for image in range(len(images))]
    return DerivedRows(rows, ["objects"], metadata, len(queries))
