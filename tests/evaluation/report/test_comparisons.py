"""Every later run against the first: the table on the page."""

import json
import re

import pytest
from support.report_runs import add_task, make_runs, write_page


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_the_comparison_in_full(folders, tmp_path):
    """6 of 12 questions are gained, none lost: both exact tests say 2 / 2 ** 6."""
    _, page = write_page(folders, tmp_path)
    (row,) = page.tables["figures"][1:]
    cells = [cell.strip() for cell in row]
    assert cells[:4] == ["after", "asked", "accuracy", "+50.0 ✱"]
    assert cells[5:] == ["0.031", "0.031", "6", "0", "12", "12"]


def test_runs_that_were_asked_other_questions(folders, tmp_path):
    path = folders[1] / "predictions/asked.csv"
    path.write_text(re.sub(r"(?m)^11,", "99,", path.read_text()))
    _, page = write_page(folders, tmp_path)
    assert page.tables["figures"][1] == ["after ", "asked ", "accuracy ", "not compared: other questions "]
    assert "✱" not in page.headline[2][1]


def test_pairs_of_images_are_compared_by_rank(folders, tmp_path):
    """A caption and its candidate images have ranks, not options: 1 of 4 right at first, then all, one of them tied."""
    for folder, ranks, ties in zip(folders, ((1, 2, 2, 2), (1, 1, 1, 1)), ((0, 0, 0, 0), (0, 0, 0, 1))):
        accuracy = sum((rank == 1) / (1 + tie) for rank, tie in zip(ranks, ties)) / 4
        lines = [f"{i},{i},{rank},{tie}\n" for i, (rank, tie) in enumerate(zip(ranks, ties))]
        task = {"kind": "pairs", "n": 4, "metrics": {"accuracy": accuracy}, "blind": {"mean_text": {"accuracy": 0.5}}}
        add_task(folder, "pairs", task, "caption_id,image_id,rank,ties\n" + "".join(lines))
    text, page = write_page(folders, tmp_path, data_dir=tmp_path / "data")
    heads, before, after = page.headline
    column = next(i for i, head in enumerate(heads) if "pairs" in head)
    assert (before[column].split()[0], after[column].split()[0]) == ("25.0", "87.5")
    assert "blind 50.0" in before[column]
    row = next(row for row in page.tables["figures"] if row[1].strip() == "pairs")
    assert [cell.strip() for cell in row[3:4] + row[7:9]] == ["+62.5", "3", "0"]
    assert [task["name"] for task in json.loads(page.scripts["on.data"])["tasks"]] == ["asked"]
    assert "the other tasks" in text
