"""The derived kind `negfull`: for training, captions, negated captions and a question, in NegBench's form."""

import numpy as np

from negjax.datasets.derive.balanced import caption_columns
from negjax.datasets.derive.request import DeriveRequest
from negjax.datasets.derive.rows import DerivedRows, LabelledImages
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labelled_questions import build_mcq_questions, select_mcq_images
from negjax.synthesis.questions import NEGMCQ_KINDS, varied_wording


def make_rows(request: DeriveRequest, images: LabelledImages, rng: np.random.Generator) -> DerivedRows:
    """Make rows with NegCap's negated captions and a question of NegMCQ.

    Args:
        request: how many questions, and how many about one image.
        images: the images of the source.
        rng: draws images, objects, patterns and the order of options.
    """
    writer = CaptionWriter(rng, held_out=False, medium=request.medium)
    fitting = len(select_mcq_images(images.labels))
    count = request.groups or request.max_uses * fitting
    questions = build_mcq_questions(
        images.labels, count, request.max_uses, rng, kinds=NEGMCQ_KINDS, wording=varied_wording(writer)
    )
    rows = [
        (image, question.columns() | {"group": number} | caption_columns(images, image, writer))
        for number, (image, question) in enumerate(questions)
    ]
    fields = ["captions", "negated_captions", "question"]
    return DerivedRows(rows, fields, {"task_kind": "train", "negated": True}, len(rows), len(images) - fitting)
