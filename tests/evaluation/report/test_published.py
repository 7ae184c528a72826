"""The published figures: complete, consistent with one another, and matched by file."""

import pytest

from negjax.datasets.sources.table_source import table_source
from negjax.evaluation.report.published import (
    COCO,
    COCO_NEGATED,
    MSRVTT,
    MSRVTT_MCQ,
    MSRVTT_NEGATED,
    published_file,
    published_note,
    published_rows,
)

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
    for rows, file in ((5914, COCO_MCQ), (300, ""), (5915, "")):
        assert published_file({"source": {"file": f"some/folder/{COCO_MCQ}", "rows": rows}}) == file
    assert published_file({"source": {"file": VOC_MCQ, "rows": sum(SIZES[VOC_MCQ])}}) == VOC_MCQ
    assert published_file({"source": {"file": "mine.csv"}}) == ""
    assert published_file({}) == ""


def test_what_makes_figures_incomparable_is_noted():
    source = {"file": COCO_MCQ, "rows": 5914, "skipped": 0}
    assert published_note({"source": source}) == ""
    assert published_note({}) == ""
    assert published_note({"source": source | {"skipped": 5659}}) == "on a subset of 255 of 5,914 rows: not comparable"
    assert published_note({"source": source | {"skipped": 1, "sha256": "0" * 64}}) == (
        "on a subset of 5,913 of 5,914 rows, of a file with other content than the published one: not comparable"
    )
    video = {"source": {"file": MSRVTT_MCQ, "rows": 1000}, "video": {"frames": 4, "preprocess": "negbench"}}
    assert published_note(video) == ""
    video["video"] = {"frames": 8, "preprocess": "clip"}
    assert published_note(video) == "with 8 frames of each clip, resized as by clip: not comparable"


@pytest.mark.parametrize(
    ("folder", "file", "kind"),
    [
        ("images", COCO, "captions"),
        ("images", COCO_NEGATED, "captions"),
        ("images", COCO_MCQ, "questions"),
        ("videos", MSRVTT, "captions"),
        ("videos", MSRVTT_NEGATED, "captions"),
        ("videos", MSRVTT_MCQ, "questions"),
    ],
)
def test_the_published_files_are_known_by_their_content(test_data, folder, file, kind):
    source = table_source(kind, test_data / "negbench" / folder / file, test_data).describe() | {"skipped": 0}
    assert published_file({"source": source}) == file
    assert published_note({"source": source}) == ""
    assert "other content" in published_note({"source": source | {"sha256": "0" * 64}})
