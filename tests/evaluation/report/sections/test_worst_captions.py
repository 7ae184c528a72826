"""The captions whose own image is ranked worst."""

import pytest
from support.images import noise_png
from support.report_runs import Page, add_task, make_runs, set_sums

from negjax.datasets.stored.store import write_set
from negjax.errors import NegjaxError
from negjax.evaluation.report.report import write_report


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_the_captions_found_last(folders, tmp_path):
    """7 captions of 3 pictures, whose ids are not their places: the 3rd was left out of the set."""
    rows = [
        {"id": i, "media": noise_png(i), "captions": [f"caption {k} of <{i}>" for k in range(count)], "group": 0}
        for i, count in ((0, 2), (1, 3), (3, 2))
    ]
    metadata = {"task_kind": "retrieval", "negated": False, "altered": "", "source": {}}
    write_set(tmp_path / "data", "found", lambda: iter(rows), ["captions"], metadata)
    owners, ranks = (0, 0, 1, 1, 1, 3, 3), (1, 2, 1, 3, 1, 2, 3)
    lines = [f"{i},{owner},{rank},0" for i, (owner, rank) in enumerate(zip(owners, ranks))]
    task = {"kind": "retrieval", "n": 7, "metrics": {"image_retrieval_recall@5": 1.0}}
    task["set"] = set_sums(tmp_path / "data", "found")
    add_task(folders[1], "found", task, "\n".join(["caption_id,image_id,rank,ties", *lines]) + "\n")
    write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
    table = [
        row[1:] for row in Page((tmp_path / "r.html").read_text()).tables["figures"] if row[1].startswith("caption ")
    ]
    assert [[cell.strip() for cell in row] for row in table] == [
        ["caption", "after"],
        ["caption 1 of <1>", "3"],
        ["caption 1 of <3>", "3"],
        ["caption 1 of <0>", "2"],
        ["caption 0 of <3>", "2"],
        ["caption 0 of <0>", "1"],
        ["caption 0 of <1>", "1"],
        ["caption 2 of <1>", "1"],
    ]
    add_task(folders[1], "found", task, "\n".join(["caption_id,image_id,rank,ties", *lines]).replace(",3,", ",2,"))
    with pytest.raises(NegjaxError, match=r"predictions for found are not for this set \(image 2\)"):
        write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
