"""The section on negation: what each run's results say, and nothing for results without these figures."""

import json
from pathlib import Path

import pytest
from support.report_runs import Page, make_runs, update_task, write_page

from negjax.errors import NegjaxError

OPERATORS = {"NOT": {"n": 1200, "accuracy": 0.25, "blind": 0.2}, "NEITHER": {"n": 3, "accuracy": 0.5, "blind": 1}}
DECOMPOSITION = {"n": 4, "caption_bias": 0.0038, "image_bias": 0.00628, "interaction": -0.00121, "right": 0.125}
DELTA = {"plain": "<plain>", "image_retrieval_recall@5": 0.123}


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    return make_runs(tmp_path)


def cells(page: Page, table: str) -> list[list[str]]:
    return [[" ".join(cell.split()) for cell in row] for row in page.tables[table]]


def test_the_figures_of_each_run(folders, tmp_path):
    update_task(folders[1], operators=OPERATORS, decomposition=DECOMPOSITION, delta_recall=DELTA)
    _, page = write_page(folders, tmp_path)
    head, row = cells(page, "operators")
    assert head == ["", "NOT n = 1,200", "NEITHER n = 3"]
    assert row == ["after", "25.0 blind 20.0", "50.0 blind 100.0"]
    assert cells(page, "decomposition")[1] == ["asked", "after", "3.80", "6.28", "-1.21", "12.5"]
    assert cells(page, "deltas")[1] == ["asked", "after", "<plain>", "+12.3"]


def test_results_without_them_have_no_section(folders, tmp_path):
    text, _ = write_page(folders, tmp_path)
    assert "on.negation" not in text


@pytest.mark.parametrize(
    "damage",
    [
        {"operators": {"NOT": {"n": 1, "accuracy": 2, "blind": 0}}},
        {"operators": {"NOT": {"accuracy": 1}}},
        {"decomposition": {"interaction": "x"}},
        {"delta_recall": {"image_retrieval_recall@5": None}},
    ],
    ids=json.dumps,
)
def test_damaged_figures_are_one_line(folders, tmp_path, damage):
    update_task(folders[0], **damage)
    with pytest.raises(NegjaxError, match=r"is not a results.json of negjax eval"):
        write_page(folders, tmp_path)
