"""The report page: its figures are those of results.json, its pictures fairly drawn; it needs no network."""

import json
import re
from html.parser import HTMLParser

import pytest

from negjax.datasets.store import write_set
from negjax.errors import NegjaxError
from negjax.evaluation.report import write_report
from negjax.evaluation.runs import read_runs

KINDS = ("positive", "negative", "hybrid")


class Cells(HTMLParser):
    """The texts of the headline table's cells, row by row, and every link of the page."""

    def __init__(self, page: str):
        super().__init__()
        self.rows, self.links, self.inside, self.text = [], [], False, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if ("class", "headline") in attrs:
            self.inside = True
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "table"

    def handle_data(self, data):
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += f"{data} "


def results(accuracy: float, recall: float | None) -> dict:
    asked = {
        "kind": "mcq",
        "negated": True,
        "n": 12,
        "metrics": {"accuracy": accuracy} | {f"{kind}_accuracy": accuracy for kind in KINDS},
        "ci95": {"accuracy": [accuracy - 0.1, accuracy + 0.1]},
        "blind": {"mean_image": {"accuracy": 0.25}},
    }
    found = {"kind": "retrieval", "negated": False, "n": 8, "ci95": {}, "blind": {}}
    tasks = {"asked": asked}
    if recall is not None:
        tasks["found"] = found | {"metrics": {"image_retrieval_recall@5": recall}}
    return {"model": {"arch": "<tiny>"}, "software": {"jax": "0"}, "tasks": tasks}


@pytest.fixture
def folders(tmp_path, png):
    """Two runs, "before" and "after/eval"; the second has a figure more. The set "asked" is in tmp_path/data."""
    rows = [
        {
            "media": png(i),
            "options": [f"<b>{i}</b>", "a cat", "no cat", "a dog"],
            "answer": 0,
            "kind": KINDS[i % 3],
            "group": i,
        }
        for i in range(12)
    ]
    said = {"task_kind": "mcq", "negated": True, "altered": "", "tokenizer": "clip", "source": {}}
    write_set(tmp_path / "data", "asked", lambda: iter(rows), ["question"], said)
    made = []
    for name, content, right in (("before", results(0.25, None), 3), ("after/eval", results(0.75, 0.5), 9)):
        folder = tmp_path / name
        (folder / "predictions").mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(content))
        lines = [f"{i},{i},{KINDS[i % 3]},0,{0 if i < right else 2},1,0,0,0" for i in range(12)]
        header = "id,group,kind,answer,predicted,score_0,score_1,score_2,score_3"
        (folder / "predictions/asked.csv").write_text("\n".join([header, *lines]) + "\n")
        made.append(folder)
    return made


def test_the_page(folders, tmp_path):
    out = tmp_path / "pages/report.html"
    write_report(folders, out, title="a <title>", data_dir=tmp_path / "data", notes=["see & read"])
    page = out.read_text()
    cells = Cells(page)
    assert [cell.split() for cell in cells.rows[0]] == [[], ["before"], ["after"]]
    (task, before, after), (retrieval, nothing, recall) = cells.rows[1:]
    assert task.split() == ["asked", "accuracy"]
    assert before.split()[:2] == ["25.0", "[15.0–35.0]"]
    assert "blind 25.0, gain by looking +0.0" in before
    assert "75.0" in after
    assert "+50.0 points" in after
    assert "blind 25.0, gain by looking +50.0" in after
    assert retrieval.split() == ["found", "image_retrieval_recall@5"]
    assert (nothing.strip(), recall.strip()) == ("", "50.0")
    assert all(link.startswith("data:image/") for link in cells.links)
    assert "<script" not in page
    assert "&lt;title&gt;" in page
    assert "see &amp; read" in page
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "&lt;tiny&gt;" in page


def test_outcomes_are_counted_and_all_shown(folders, tmp_path):
    write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
    page = (tmp_path / "r.html").read_text()
    assert "wrong at first, right at last: 6 of 12; wrong in both: 3 of 12; right in both: 3 of 12" in page
    shown = re.findall(r"<small>(\w+) · ([^<]+)</small>", page)
    for kind in KINDS:
        assert sorted(outcome for k, outcome in shown if k == kind) == [
            "right in both",
            "wrong at first, right at last",
            "wrong at first, right at last",
            "wrong in both",
        ]


def test_one_run_without_pictures(folders, tmp_path):
    write_report(folders[1:], tmp_path / "r.html", title="t")
    page = (tmp_path / "r.html").read_text()
    assert "what was picked" not in page
    assert "points</span>" not in page


def test_the_same_page_twice(folders, tmp_path):
    pages = []
    for name in ("a", "b"):
        write_report(folders, tmp_path / name, title="t", data_dir=tmp_path / "data")
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]


def cut_rows(folder):
    path = folder / "predictions/asked.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:5]))


def other_answers(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(re.sub(r"(?m)^(\d+,\d+,\w+),0,", r"\1,1,", path.read_text()))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "results.json").unlink(), r"cannot read .*results\.json \(No such file"),
        (lambda f: (f / "results.json").write_text('{"tasks": {'), r"results\.json is not a results\.json"),
        (lambda f: (f / "results.json").write_text('{"tasks": {"a": 1}}'), r"results\.json is not a results\.json"),
        (lambda f: (f / "predictions/asked.csv").unlink(), r"asked\.csv \(No such file.*evaluate this model again"),
        (cut_rows, r"asked\.csv has 4 rows, not 12"),
        (other_answers, "predictions of before are not for this set asked"),
    ],
)
def test_damage_is_one_clear_line(folders, tmp_path, damage, message):
    damage(folders[0])
    with pytest.raises(NegjaxError, match=message) as error:
        write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "r.html").exists()


def test_two_runs_of_one_name(folders):
    with pytest.raises(NegjaxError, match="two results are called before"):
        read_runs([folders[0], folders[0]])
