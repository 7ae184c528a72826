"""The derived kind `questions`: NegBench's multiple choice, in its own templates."""

import numpy as np

from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages, question_rows
from negjax.synthesis.labelled_questions import build_mcq_questions, select_mcq_images
from negjax.synthesis.questions import negbench_wording


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make questions; by default about every image that they fit, as often as it may be used.

    Args:
        request: how many questions, and how many about one image.
        images: the images of the source.
        rng: draws images, objects and the order of options.
    """
    fitting = len(select_mcq_images(images.labels))
    count = request.groups or request.max_uses * fitting
    wording = negbench_wording(request.medium)
    questions = build_mcq_questions(images.labels, count, request.max_uses, rng, wording=wording)
    rows = question_rows((image, question, number) for number, (image, question) in enumerate(questions))
    return DerivedRows(rows, ["question"], {"task_kind": "mcq", "negated": True}, len(rows), len(images) - fitting)
