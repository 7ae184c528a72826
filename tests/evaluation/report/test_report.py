"""The page as a unit: it is complete, needs no network, and says in one line what is wrong with its input."""

import re

import pytest
from support.report_runs import Page, make_runs, update_task, write_page

from negjax.errors import NegjaxError
from negjax.evaluation.report.report import write_report


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


def test_the_page(folders, tmp_path):
    out = tmp_path / "pages/report.html"
    write_report(folders, out, title="a <title>", data_dir=tmp_path / "data", notes=["see & read"])
    text = out.read_text()
    page = Page(text)
    assert [cell.split()[0] for cell in page.headline[0][1:]] == ["asked", "found"]
    (name, before, nothing), (other, after, recall) = page.headline[1:]
    assert (name.strip(), other.strip()) == ("before", "after")
    assert before.split()[:2] == ["25.0", "[15.0–35.0]"]
    assert "blind 25.0 gain over blind +0.0" in before
    assert "75.0" in after
    assert "+50.0 points  ✱" in after
    assert "blind 25.0 gain over blind +50.0" in after
    assert (nothing.strip(), recall.strip()) == ("", "50.0")
    assert "&lt;title&gt;" in text
    assert "see &amp; read" in text
    assert "&lt;tiny&gt;" in text
    assert len(page.ids) == len(set(page.ids))
    assert sorted(path.name for path in out.parent.iterdir()) == [
        f"report.{end}" for end in ("csv", "html", "md", "tex")
    ]


def test_nothing_comes_from_elsewhere(folders, tmp_path):
    text, page = write_page(folders, tmp_path, data_dir=tmp_path / "data")
    assert page.links
    assert all(link.startswith("data:image/") for link in page.links)
    assert "default-src 'none'" in text
    assert not re.search(r"\beval\(|innerHTML|insertAdjacent|document\.write|@import|url\(|https?://(?!arxiv)", text)


def test_one_run_without_pictures(folders, tmp_path):
    text, page = write_page(folders[1:], tmp_path)
    assert "no --data-dir was given" in text
    assert "on.data" not in page.scripts
    assert "points</span>" not in text
    assert "Against the first run" not in text


def test_the_same_page_twice(folders, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        write_report(folders, tmp_path / name, title="t", data_dir=tmp_path / "data")
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]


def cut_rows(folder):
    path = folder / "predictions/asked.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:5]))


def other_answers(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(re.sub(r"(?m)^(\d+,\d+,\w+),0,", r"\1,1,", path.read_text()))


def rename_column(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(path.read_text().replace("predicted", "picked"))


def cut_line(folder):
    path = folder / "predictions/asked.csv"
    path.write_text(path.read_text().rsplit(",", 1)[0])


def test_answers_of_another_set(folders, tmp_path):
    for folder in folders:
        other_answers(folder)
    with pytest.raises(NegjaxError, match="predictions of before are not for this set asked"):
        write_page(folders, tmp_path, data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "results.json").unlink(), r"cannot read .*results\.json \(No such file"),
        (lambda f: (f / "results.json").write_text('{"tasks": {'), r"results\.json is not a results\.json"),
        (lambda f: (f / "results.json").write_text('{"tasks": {"a": 1}}'), r"results\.json is not a results\.json"),
        (lambda f: (f / "predictions/asked.csv").unlink(), r"asked\.csv \(No such file.*evaluate this model again"),
        (cut_rows, r"asked\.csv has 4 rows, not 12"),
        (cut_line, r"asked\.csv, line 13 is damaged"),
        (other_answers, "predictions of after and before for asked differ in question 0"),
        (rename_column, r"asked\.csv, line 2 is damaged"),
        (lambda f: (f / "predictions/asked.csv").write_bytes(b"\xff\xfe"), r"asked\.csv is damaged"),
        (lambda f: update_task(f, metrics={"accuracy": "high"}), r"is not a results\.json"),
        (lambda f: update_task(f, ci95={"accuracy": [0.1]}), r"is not a results\.json"),
        (lambda f: update_task(f, blind={"mean_image": 3}), r"is not a results\.json"),
        (lambda f: update_task(f, confusion={"positive": 3}), r"is not a results\.json"),
        (lambda f: update_task(f, source={"file": "a.csv", "rows": "many"}), r"is not a results\.json"),
    ],
)
def test_damage_is_one_clear_line(folders, tmp_path, damage, message):
    damage(folders[0])
    with pytest.raises(NegjaxError, match=message) as error:
        write_page(folders, tmp_path, data_dir=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("r.*"))


def test_the_page_must_be_called_html(folders, tmp_path):
    with pytest.raises(NegjaxError, match=r"r\.csv: give a name that ends in \.html"):
        write_report(folders, tmp_path / "r.csv", title="t")
