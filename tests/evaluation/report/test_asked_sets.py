"""Runs that were asked other questions, or saw other media, are never compared without a word."""

import csv
import json

import pytest
from support.images import noise_png
from support.report_runs import make_runs, update_task, write_page

from negjax.datasets.stored.store import write_set
from negjax.errors import NegjaxError

OTHER_TEXTS = {"questions": "0" * 64}
OTHER_MEDIA = {"media": "0" * 64}


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def set_of(folder):
    return json.loads((folder / "results.json").read_text())["tasks"]["asked"]["set"]


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (OTHER_TEXTS, "other questions"),
        (OTHER_MEDIA, "other media"),
        (OTHER_TEXTS | OTHER_MEDIA, "other questions and media"),
    ],
)
def test_other_questions_or_media(folders, tmp_path, caplog, change, remark):
    """Ids, kinds and answers are equal: only what was asked differs."""
    update_task(folders[1], set=set_of(folders[1]) | change)
    text, page = write_page(folders, tmp_path)
    assert page.tables["figures"][1] == ["after ", "asked ", "accuracy ", f"not compared: {remark} "]
    cell = page.headline[2][1]
    assert remark in cell
    assert "points" not in cell
    assert "✱" not in cell
    note = f"asked: after saw {remark} than before: their figures are not comparable"
    assert note in text
    assert note in caplog.text
    assert note in (tmp_path / "r.md").read_text()
    assert f"% {note}" in (tmp_path / "r.tex").read_text()
    assert f"({remark})" in (tmp_path / "r.md").read_text().splitlines()[3]
    row = next(row for row in csv.DictReader((tmp_path / "r.csv").open()) if row["run"] == "after")
    assert (row["set"], row["change"], row["p_value"]) == (remark, "", "")


def test_results_that_do_not_record_their_set(folders, tmp_path, caplog):
    update_task(folders[0], set={})
    text, page = write_page(folders, tmp_path, data_dir=tmp_path / "data")
    assert "same set unknown" in page.headline[2][1]
    assert "same set unknown" in page.tables["figures"][1][3]
    assert "it is not known whether after and before were asked the same questions" in text
    assert "run before, task asked: it is not known" in caplog.text


def test_texts_that_were_never_asked_are_not_shown(folders, tmp_path):
    """The set in --data-dir has the same ids, kinds and answers, and other texts."""
    kinds = ("positive", "negative", "hybrid")
    rows = [
        {"media": noise_png(i % 6), "options": list("abcd"), "answer": 0, "kind": kinds[i % 3], "group": i}
        for i in range(12)
    ]
    metadata = {"task_kind": "mcq", "negated": True, "source": {}}
    write_set(tmp_path / "other", "asked", lambda: iter(rows), ["question"], metadata)
    with pytest.raises(NegjaxError, match="run before: task asked was evaluated on other questions than the set asked"):
        write_page(folders, tmp_path, data_dir=tmp_path / "other")
