"""The published figures: complete, consistent with one another, and matched by file."""

import pytest

from negjax.evaluation.report.published import published_file, published_rows, subset_note

COCO_MCQ, VOC_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv", "VOC2007_mcq_llama3.1_rephrased.csv"
SIZES = {COCO_MCQ: (2032, 1870, 2012), VOC_MCQ: (682, 2121, 2228)}  # questions of each kind in the published files
QUESTION_KINDS = ("positive", "negative", "hybrid")


@pytest.mark.parametrize(("name", "file"), [(n, f) for n in ("CLIP ViT-B/32", "NegCLIP", "ConCLIP") for f in SIZES])
def test_figures_by_kind_add_up_to_the_total(name, file):
    """To a rounded decimal each; the total of ConCLIP on COCO was not published."""
    figures = next(row.figures for row in published_rows() if row.name == name)
    by_kind = [figures[file, f"{kind}_accuracy"][0] for kind in QUESTION_KINDS]
    total = sum(count * share for count, share in zip(SIZES[file], by_kind)) / sum(SIZES[file])
    if (file, "accuracy") in figures:
        assert figures[file, "accuracy"][0] == pytest.approx(total, abs=0.001)
    else:
        assert (name, file) == ("ConCLIP", COCO_MCQ)


def test_every_row_has_its_source():
    rows = published_rows()
    assert len({row.name for row in rows}) == len(rows) == 12
    for row in rows:
        assert ("measured" if row.blind else "2501.09425") in row.source
        assert all(0 < low <= high < 1 for low, high in row.figures.values())
    assert [row.name for row in rows if row.blind] == ["rule: the longer affirmation", "bigrams, fitted on another set"]


def test_rows_of_a_task_are_found_by_its_file():
    assert published_file({"source": {"file": f"some/folder/{COCO_MCQ}"}}) == COCO_MCQ
    assert published_file({"source": {"file": "mine.csv"}}) == ""
    assert published_file({}) == ""


def test_skipped_rows_are_noted():
    assert subset_note({"source": {"rows": 5914, "skipped": 5659}}) == (
        "on a subset of 255 of 5,914 rows: not comparable"
    )
    assert subset_note({"source": {"rows": 5914, "skipped": 0}}) == ""
    assert subset_note({}) == ""
