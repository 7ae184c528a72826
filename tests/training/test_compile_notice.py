"""The line that says what a step is compiled for."""

import logging

import numpy as np

from negjax.models.packing import PackedTexts
from negjax.training.compile_notice import CompileNotice
from negjax.training.text_packing import PACKED


def batches(images: int, rows: int = 0) -> dict:
    packed = {PACKED: {"untaught": PackedTexts(np.zeros((rows, 77)), np.zeros((rows, 16)))}} if rows else {}
    return {"pairs": {"image": np.zeros((images, 16, 16, 3))}} | packed


def test_a_line_for_each_form_of_batches(caplog):
    notice = CompileNotice()
    with caplog.at_level(logging.INFO):
        for step, given in enumerate([batches(4, 30), batches(4, 30), batches(4, 32), batches(4, 30), batches(4)], 1):
            notice.tell(step, given)
    assert [record.getMessage() for record in caplog.records] == [
        "step 1 is compiled, or loaded from the cache, for 4 images of 16 x 16 and 30 rows of 77 tokens",
        "step 3 is compiled, or loaded from the cache, for 4 images of 16 x 16 and 32 rows of 77 tokens: program 2 of "
        "this run, for another form",
        "step 5 is compiled, or loaded from the cache, for 4 images of 16 x 16: program 3 of this run, for another "
        "form",
    ]
