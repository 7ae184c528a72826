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
    assert [cell.split()[0] for cell in cells.rows[0][1:]] == ["asked", "found"]
    (name, before, nothing), (other, after, recall) = cells.rows[1:]
    assert (name.strip(), other.strip()) == ("before", "after")
    assert before.split()[:2] == ["25.0", "[15.0–35.0]"]
    assert "blind 25.0 gain over blind +0.0" in before
    assert "75.0" in after
    assert "+50.0 points" in after
    assert "blind 25.0 gain over blind +50.0" in after
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


def test_figures_are_those_of_results(folders, tmp_path):
    """Every headline figure, interval, change and blind figure, from numbers that need rounding."""
    for folder, value in zip(folders, (1 / 3, 0.33331)):
        content = results(value, None)
        content["tasks"]["asked"]["blind"] = {"mean_image": {"accuracy": 1 / 7}}
        (folder / "results.json").write_text(json.dumps(content))
    write_report(folders, tmp_path / "r.html", title="{body} {title}")
    page = (tmp_path / "r.html").read_text()
    before, after = (" ".join(row[1].split()) for row in Cells(page).rows[1:])
    assert before == "33.3 [23.3–43.3] blind 14.3 gain over blind +19.0"
    assert after == "33.3 [23.3–43.3] +0.0 points blind 14.3 gain over blind +19.0"
    assert 'class="up"' not in page
    assert 'class="down"' not in page
    assert page.count("<h1>{body}") == 1
    assert page.count("<table") == 4


def test_picks_are_marked_without_colour_too(folders, tmp_path):
    write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
    page = (tmp_path / "r.html").read_text()
    cards = re.findall(r"<small>\w+ · ([^<]+)</small>(.*?)</ul>", page)
    assert len(cards) == 12
    for outcome, options in cards:
        marks = {name: mark for mark, name in re.findall(r'">([✓✗]) (\w+)</span>', options)}
        first, last = {
            "right in both": "✓✓",
            "wrong in both": "✗✗",
            "wrong at first, right at last": "✗✓",
        }[outcome]
        assert marks == {"before": first, "after": last}


def cut_rows(folder):
    path = folder / "predictions/asked.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:5]))


def other_answers(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(re.sub(r"(?m)^(\d+,\d+,\w+),0,", r"\1,1,", path.read_text()))


def rename_column(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(path.read_text().replace("predicted", "picked"))


def put(folder, **changes):
    content = json.loads((folder / "results.json").read_text())
    content["tasks"]["asked"] |= changes
    (folder / "results.json").write_text(json.dumps(content))


def test_answers_of_another_set(folders, tmp_path):
    for folder in folders:
        other_answers(folder)
    with pytest.raises(NegjaxError, match="predictions of before are not for this set asked"):
        write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "results.json").unlink(), r"cannot read .*results\.json \(No such file"),
        (lambda f: (f / "results.json").write_text('{"tasks": {'), r"results\.json is not a results\.json"),
        (lambda f: (f / "results.json").write_text('{"tasks": {"a": 1}}'), r"results\.json is not a results\.json"),
        (lambda f: (f / "predictions/asked.csv").unlink(), r"asked\.csv \(No such file.*evaluate this model again"),
        (cut_rows, r"asked\.csv has 4 rows, not 12"),
        (other_answers, "predictions of after and before for asked differ in question 0"),
        (rename_column, r"asked\.csv, line 2 is damaged"),
        (lambda f: (f / "predictions/asked.csv").write_bytes(b"\xff\xfe"), r"asked\.csv is damaged"),
        (lambda f: put(f, metrics={"accuracy": "high"}), r"is not a results\.json"),
        (lambda f: put(f, ci95={"accuracy": [0.1]}), r"is not a results\.json"),
        (lambda f: put(f, blind={"mean_image": 3}), r"is not a results\.json"),
    ],
)
def test_damage_is_one_clear_line(folders, tmp_path, damage, message):
    damage(folders[0])
    with pytest.raises(NegjaxError, match=message) as error:
        write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "r.html").exists()


def test_two_runs_of_one_name(folders):
    with pytest.raises(NegjaxError, match=r"two results are called .*before"):
        read_runs([folders[0], folders[0]])


def test_runs_of_one_name_get_their_parents(folders, tmp_path):
    other = tmp_path / "again/before"
    other.mkdir(parents=True)
    (other / "results.json").write_text((folders[0] / "results.json").read_text())
    assert [run.name for run in read_runs([*folders, other])] == [f"{tmp_path.name}/before", "after", "again/before"]


def test_no_runs():
    with pytest.raises(NegjaxError, match="nothing to report"):
        read_runs([])
