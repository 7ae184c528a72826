"""The files of an evaluation, and the table for the terminal."""

import csv
import json

import numpy as np
import pytest
from rich.console import Console

from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import TaskResults, evaluate
from negjax.evaluation.report.table import table
from negjax.evaluation.results import to_csv, write_results


@pytest.fixture(scope="module")
def result(model, mcq_set, retrieval_set):
    return evaluate(model, [mcq_set, retrieval_set], bootstrap=20, progress=False)


def test_the_figures_follow_from_the_files(result, tmp_path):
    write_results(result, tmp_path / "out")
    stored = json.loads((tmp_path / "out/results.json").read_text())
    assert stored == result.results
    names = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert names == ["checksums.json", "pictures.csv", "pictures.image_to_text.csv", "questions.csv", "results.json"]
    with (tmp_path / "out/predictions/questions.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "group", "kind", "answer", "predicted", *(f"score_{o}" for o in range(4)), "image"]
    credit = []
    for row in rows[1:]:
        scores = [np.float32(cell) for cell in row[5:9]]
        assert int(row[4]) == int(np.argmax(scores))
        credit.append((scores[int(row[3])] == max(scores)) / scores.count(max(scores)))
    assert stored["tasks"]["questions"]["metrics"]["accuracy"] == pytest.approx(np.mean(credit))
    for file, side in (("pictures", "image"), ("pictures.image_to_text", "text")):
        with (tmp_path / f"out/predictions/{file}.csv").open() as lines:
            ranks = [(int(row["rank"]), int(row["ties"])) for row in csv.DictReader(lines)]
        for k in (1, 5, 10):
            recall = np.mean([np.clip(k + 1 - rank, 0, ties + 1) / (ties + 1) for rank, ties in ranks])
            metric = stored["tasks"]["pictures"]["metrics"][f"{side}_retrieval_recall@{k}"]
            assert metric == pytest.approx(recall)


def test_floats_are_written_so_that_float32_comes_back():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    lines = to_csv({"name": ["a, b"] * 500, "x": values}).splitlines()
    assert lines[1].startswith('"a, b",')
    assert np.array([line.rsplit(",", 1)[1] for line in lines[1:]]).astype(np.float32).tolist() == values.tolist()


def test_nothing_of_an_earlier_run_stays(result, tmp_path):
    write_results(result, tmp_path)
    (tmp_path / "predictions/mine.csv").write_text("kept")
    second = TaskResults(
        result.results | {"tasks": {"questions": result.results["tasks"]["questions"]}},
        {"questions": result.predictions["questions"]},
    )
    write_results(second, tmp_path)
    assert sorted(path.name for path in (tmp_path / "predictions").iterdir()) == ["mine.csv", "questions.csv"]
    (tmp_path / "results.json").write_text("not json")
    write_results(second, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == second.results


def test_a_place_that_cannot_be_written_is_one_clear_line(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NegjaxError, match=r"cannot write .*Not a directory"):
        write_results(result, tmp_path / "file")


def test_the_table_names_every_figure(result):
    console = Console(record=True, width=120, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table(result.results))
    text = console.export_text()
    accuracy = result.results["tasks"]["questions"]["metrics"]["accuracy"]
    blind = result.results["tasks"]["questions"]["blind"]["mean_image"]["accuracy"]
    assert f"{100 * accuracy:.1f}" in text
    assert f"{100 * blind:.1f}" in text
    assert "text_retrieval_recall@10" in text


def test_brackets_in_the_table_are_themselves():
    task = {"kind": "mcq", "n": 3, "metrics": {"[/b]_accuracy": 0.5}, "ci95": {}, "blind": {}}
    console = Console(width=80, record=True)
    console.print(table({"model": {"source": "runs/[1]/[/x]"}, "tasks": {"questions": task}}))
    shown = console.export_text()
    assert "runs/[1]/[/x]" in shown
    assert "[/b]_accuracy" in shown
