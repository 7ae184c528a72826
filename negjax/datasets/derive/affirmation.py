"""The derived kind `affirmation`: "This image includes A" or "does not include A", to measure affirmation bias."""

import numpy as np

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages, question_rows
from negjax.language.phrases import with_article
from negjax.synthesis.labelled_questions import AFFIRMATION_BIAS_TEMPLATES, build_presence_questions


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make presence questions; by default about every image that has a partner.

    Args:
        request: how many pairs of images.
        images: the images of the source.
        rng: draws pairs, objects and the order of options.
    """
    questions = build_presence_questions(images.labels, request.groups or len(images), rng)
    rows = question_rows(questions)
    metadata = {
        "task_kind": "affirmation",
        "negated": True,
        "objects": [with_article(name) for name in images.labels.names],
        "bias_templates": AFFIRMATION_BIAS_TEMPLATES,
    }
    return DerivedRows(rows, ["question"], metadata, len(rows) // 4)
