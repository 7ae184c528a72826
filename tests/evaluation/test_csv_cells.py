"""Cells that a spreadsheet would calculate."""

import csv
import io

import pytest

from negjax.evaluation.csv_cells import from_cell, to_cell
from negjax.evaluation.results import to_csv


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_no_text_is_a_formula(text, cell):
    assert to_cell(text) == cell
    assert from_cell(cell) == text


def test_only_texts_are_changed():
    """Negative scores stay numbers."""
    rows = list(csv.reader(io.StringIO(to_csv({"id": [1], "kind": ["=1+1"], "score_0": [-0.25]}))))
    assert rows[1] == ["1", "'=1+1", "-0.25"]
