"""Figures that say nothing carry a remark: in results.json, on the terminal and on the page."""

import numpy as np
import pytest
from rich.console import Console
from support.images import noise_png

from negjax.evaluation.evaluate import evaluate
from negjax.evaluation.report.report import write_report
from negjax.evaluation.report.table import table
from negjax.evaluation.results import write_results
from negjax.evaluation.statistics.bootstrap import Credits, unit_remarks


def gallery(make_set, name, captions):
    rows = [{"media": noise_png(i), "captions": texts} for i, texts in enumerate(captions)]
    return make_set(name, "retrieval", "captions", rows)


def test_a_gallery_of_one_image(model, make_set, tmp_path):
    result = evaluate(model, [gallery(make_set, "one", [["a dog", "no dog"]])], bootstrap=20, progress=False)
    task = result.results["tasks"]["one"]
    assert set(task["metrics"].values()) == {1.0}
    recalls = [f"{side}_retrieval_recall@{k}" for side in ("image", "text") for k in (1, 5, 10)]
    certain, interval = task["remarks"]
    assert certain == f"{', '.join(recalls)}: always 100 %, the largest gallery has 1 images"
    assert interval.startswith(f"{', '.join(recalls)}: the interval says nothing, it rests on 1 of the units")
    write_results(result, tmp_path / "run")
    write_report([tmp_path / "run"], tmp_path / "r.html", title="t")
    assert f"one: {certain}." in (tmp_path / "r.html").read_text()
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table(result.results))
    assert "one: image_retrieval_recall@1" in console.export_text()


@pytest.mark.parametrize(
    ("captions", "certain"),
    [
        ([["a"]] * 6, ["image_retrieval_recall@10", "text_retrieval_recall@10"]),
        ([["a", "b"], *[["c"]] * 10], []),
        ([["a", "b", "c"], ["d", "e"]], ["image_retrieval_recall@5", "text_retrieval_recall@5"]),
    ],
)
def test_what_no_model_can_miss(model, make_set, captions, certain):
    data = gallery(make_set, "some", [[f"{text} {i}" for text in row] for i, row in enumerate(captions)])
    remarks = evaluate(model, [data], bootstrap=0, progress=False).results["tasks"]["some"].get("remarks", [""])
    assert [name for name in certain if name not in remarks[0]] == []
    assert ("always 100 %" in remarks[0]) == bool(certain)
    assert "recall@1," not in remarks[0]


def test_intervals_over_few_units():
    few = Credits(np.ones(20), np.arange(20) // 4)
    many = Credits(np.ones(20), np.arange(20))
    (remark,) = unit_remarks({"a": few, "b": many, "c": few})
    assert remark.startswith("a, c: ")
    assert "rests on 5 of" in remark
