"""Which kind of option was picked for which kind of question."""

import re

import pytest
from support.report_runs import make_runs, update_task, write_page


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_what_was_picked_for_what(folders, tmp_path):
    picked = {"positive": {"right": 0.75, "hybrid": 0.25}, "hybrid": {"right": 0.1, "positive": 0.9, "other": 0.0}}
    update_task(folders[0], confusion=picked)
    text, page = write_page(folders, tmp_path)
    table = [[cell.strip() for cell in row] for row in page.tables["heat"]]
    assert table == [
        ["", "right", "hybrid", "positive", "other"],
        ["positive", "75.0", "25.0", "0.0", "0.0"],
        ["hybrid", "10.0", "0.0", "90.0", "0.0"],
    ]
    assert re.findall(r'<td class="right"[^>]*>([^<]*)', text) == ["75.0", "10.0"]
