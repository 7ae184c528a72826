"""The report page: its figures are those of results.json, set beside blind and published ones; it needs no network."""

import base64
import json
import re
from xml.etree import ElementTree

import pytest
from report_runs import Page, add_task, make_runs, put, results

from negjax.errors import NegjaxError
from negjax.evaluation.report.charts import Point, scatter
from negjax.evaluation.report.report import write_report
from negjax.evaluation.report.runs import read_runs

COCO_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv"


@pytest.fixture
def folders(tmp_path, png):
    return make_runs(tmp_path, png)


def page_of(folders, tmp_path, **options) -> tuple[str, Page]:
    write_report(folders, tmp_path / "r.html", title="t", **options)
    text = (tmp_path / "r.html").read_text()
    return text, Page(text)


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
    text, page = page_of(folders, tmp_path, data_dir=tmp_path / "data")
    assert page.links
    assert all(link.startswith("data:image/") for link in page.links)
    assert "default-src 'none'" in text
    assert not re.search(r"\beval\(|innerHTML|insertAdjacent|document\.write|@import|url\(|https?://(?!arxiv)", text)


def test_one_run_without_pictures(folders, tmp_path):
    text, page = page_of(folders[1:], tmp_path)
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


def test_figures_are_those_of_results(folders, tmp_path):
    """Every headline figure, interval, change and blind figure, from numbers that need rounding."""
    for folder, value in zip(folders, (1 / 3, 0.33331)):
        content = results(value, None)
        content["tasks"]["asked"]["blind"] = {"mean_image": {"accuracy": 1 / 7}, "text_only": {"accuracy": 2 / 3}}
        (folder / "results.json").write_text(json.dumps(content))
        path = folder / "predictions/asked.csv"
        path.write_text((folders[0] / "predictions/asked.csv").read_text())
    write_report(folders, tmp_path / "r.html", title="§body§ §title§")
    text = (tmp_path / "r.html").read_text()
    before, after = (" ".join(row[1].split()) for row in Page(text).headline[1:])
    assert before == "33.3 [23.3–43.3] blind 14.3 gain over blind +19.0 text only 66.7"
    assert after == "33.3 [23.3–43.3] +0.0 points blind 14.3 gain over blind +19.0 text only 66.7"
    assert 'class="up"' not in text
    assert 'class="down"' not in text
    assert text.count("<h1>§body§") == 1


def test_the_comparison_in_full(folders, tmp_path):
    """6 of 12 questions are gained, none lost: both exact tests say 2 / 2 ** 6."""
    _, page = page_of(folders, tmp_path)
    (row,) = page.tables["figures"][1:]
    cells = [cell.strip() for cell in row]
    assert cells[:4] == ["after", "asked", "accuracy", "+50.0 ✱"]
    assert cells[5:] == ["0.031", "0.031", "6", "0", "12", "12"]


def test_runs_that_were_asked_other_questions(folders, tmp_path):
    path = folders[1] / "predictions/asked.csv"
    path.write_text(re.sub(r"(?m)^11,", "99,", path.read_text()))
    _, page = page_of(folders, tmp_path)
    assert page.tables["figures"][1] == ["after ", "asked ", "accuracy ", "not asked the same questions "]
    assert "✱" not in page.headline[2][1]


def test_published_rows_stand_beside_the_runs(folders, tmp_path):
    for folder in folders:
        put(folder, source={"file": COCO_MCQ, "sha256": "", "rows": 5914, "skipped": 0})
    text, page = page_of(folders, tmp_path)
    rows = {row[0].strip().replace("  ", " "): row[1].strip() for row in page.headline[3:]}
    assert rows["CLIP ViT-B/32 published"] == "39.2"
    assert rows["NegCLIP + NegFull published"] == "56.2"
    assert rows["rule: the longer affirmation never sees the image"] == "55.8"
    assert "LAION-400M published" not in rows
    assert "2501.09425" in text
    assert "not comparable" not in text
    by_kind = [row for row in page.tables[""] if row[0].startswith("negative_")]
    assert "6.8" in [cell.strip() for cell in by_kind[0]]


def test_a_subset_is_not_comparable(folders, tmp_path):
    put(folders[1], source={"file": f"some/where/{COCO_MCQ}", "sha256": "", "rows": 5914, "skipped": 5902})
    text, page = page_of(folders, tmp_path)
    assert "on a subset of 12 of 5,914 rows: not comparable" in page.headline[0][1]
    put(folders[1], source={"file": "my_questions.csv", "sha256": "", "rows": 5914, "skipped": 5902})
    text, page = page_of(folders, tmp_path)
    assert len(page.headline) == 3
    assert "not comparable" not in text


def test_less_violation_is_better(folders, tmp_path):
    for folder, violation, precision in zip(folders, (0.5, 0.2), (0.1, 0.4)):
        task = {
            "kind": "queries",
            "n": 2,
            "metrics": {"violation@1": 0.0, "violation@10": violation, "precision@10": precision},
            "blind": {"random_image": {"violation@10": 0.3}, "plain_query": {"violation@10": 0.6}},
        }
        lines = [f"{i},3,4,{violation},{precision}\n" for i in range(2)]
        add_task(folder, "queries", task, "query_id,asked,excluded,violation@10,precision@10\n" + "".join(lines))
    text, page = page_of(folders, tmp_path)
    heads, _, after = page.headline
    place = next(i for i, head in enumerate(heads) if "violation" in head)
    assert "lower is better" in heads[place]
    assert "−30.0 points" in after[place]
    assert "blind 30.0" in after[place]
    assert '<span class="up">−30.0 points' in text
    compared = [[cell.replace(" ", "") for cell in row[:4]] for row in page.tables["figures"]]
    assert ["after", "queries", "violation@10", "−30.0"] in compared


def test_pairs_of_images_are_compared_by_rank(folders, tmp_path):
    """A caption and its candidate images have ranks, not options: 1 of 4 right at first, then all, one of them tied."""
    for folder, ranks, ties in zip(folders, ((1, 2, 2, 2), (1, 1, 1, 1)), ((0, 0, 0, 0), (0, 0, 0, 1))):
        accuracy = sum((rank == 1) / (1 + tie) for rank, tie in zip(ranks, ties)) / 4
        lines = [f"{i},{i},{rank},{tie}\n" for i, (rank, tie) in enumerate(zip(ranks, ties))]
        task = {"kind": "pairs", "n": 4, "metrics": {"accuracy": accuracy}, "blind": {"mean_text": {"accuracy": 0.5}}}
        add_task(folder, "pairs", task, "caption_id,image_id,rank,ties\n" + "".join(lines))
    text, page = page_of(folders, tmp_path, data_dir=tmp_path / "data")
    heads, before, after = page.headline
    place = next(i for i, head in enumerate(heads) if "pairs" in head)
    assert (before[place].split()[0], after[place].split()[0]) == ("25.0", "87.5")
    assert "blind 50.0" in before[place]
    row = next(row for row in page.tables["figures"] if row[1].strip() == "pairs")
    assert [cell.strip() for cell in row[3:4] + row[7:9]] == ["+62.5", "3", "0"]
    assert [task["name"] for task in json.loads(page.scripts["on.data"])["tasks"]] == ["asked"]
    assert "the other tasks" in text


def test_what_was_picked_for_what(folders, tmp_path):
    picked = {"positive": {"right": 0.75, "hybrid": 0.25}, "hybrid": {"right": 0.1, "positive": 0.9, "other": 0.0}}
    put(folders[0], confusion=picked)
    text, page = page_of(folders, tmp_path)
    table = [[cell.strip() for cell in row] for row in page.tables["heat"]]
    assert table == [
        ["", "right", "hybrid", "positive", "other"],
        ["positive", "75.0", "25.0", "0.0", "0.0"],
        ["hybrid", "10.0", "0.0", "90.0", "0.0"],
    ]
    assert re.findall(r'<td class="right"[^>]*>([^<]*)', text) == ["75.0", "10.0"]


def test_the_picture_of_affirmation_bias(folders, tmp_path):
    bias = {"text_separation": 0.125, "image_separation": 0.5}
    task = {"kind": "affirmation", "n": 2, "metrics": {"accuracy": 0.5}, "affirmation_bias": bias}
    asked = "id,group,kind,answer,predicted,score_0,score_1,image\n0,0,a,0,0,1,0,0\n1,0,b,1,0,1,0,1\n"
    add_task(folders[0], "affirm", task, asked)
    points = "object,template,x,y,text\ndog,affirmation,0,0,a dog\ndog,negation,1,0.5,no dog\n"
    (folders[0] / "predictions/affirm.bias.csv").write_text(points)
    text, _ = page_of(folders, tmp_path)
    assert "before, affirm" in text
    assert "text separation 0.125; image separation 0.500" in text
    svg = re.search(r'alt="before, affirm"', text)
    source = re.findall(r'base64,([A-Za-z0-9+/=]+)" alt="before, affirm"', text)
    assert svg
    assert ElementTree.fromstring(base64.b64decode(source[0])).tag.endswith("svg")
    (folders[0] / "predictions/affirm.bias.csv").write_text(points.replace("0.5", "high"))
    with pytest.raises(NegjaxError, match=r"affirm\.bias\.csv is damaged"):
        page_of(folders, tmp_path)


def test_sentences_are_points_and_pairs_are_joined():
    square = [Point("dog", "affirmation", 0, 0), Point("cat", "affirmation", 1, 1), Point("cat", "both", 0.5, 0.2)]
    more = [*square, Point("dog", "both", 0.2, 0.5)]
    marks = [scatter(points).count("<use ") for points in (square, more)]
    lines = [scatter(points).count("stroke: #bbbbbb") for points in (square, more)]
    assert marks[1] - marks[0] == 1
    assert lines == [1, 2]


def test_the_model_line(folders, tmp_path):
    content = json.loads((folders[0] / "results.json").read_text())
    content["model"] = {
        "arch": "ViT-B-32",
        "activation": "gelu",
        "activation_of_weights": "quick_gelu",
        "source": "w.pt",
        "step": 3,
        "sha256": "0123456789abcdef",
    }
    (folders[0] / "results.json").write_text(json.dumps(content))
    _, page = page_of(folders, tmp_path)
    cells = ["before", "ViT-B-32", "gelu (the weights': quick_gelu)", "w.pt, step 3", "0123456789ab", "jax 0"]
    assert cells in [[cell.strip() for cell in row] for row in page.tables[""]]


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
        page_of(folders, tmp_path, data_dir=tmp_path / "data")


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
        (lambda f: put(f, metrics={"accuracy": "high"}), r"is not a results\.json"),
        (lambda f: put(f, ci95={"accuracy": [0.1]}), r"is not a results\.json"),
        (lambda f: put(f, blind={"mean_image": 3}), r"is not a results\.json"),
        (lambda f: put(f, confusion={"positive": 3}), r"is not a results\.json"),
        (lambda f: put(f, source={"file": "a.csv", "rows": "many"}), r"is not a results\.json"),
    ],
)
def test_damage_is_one_clear_line(folders, tmp_path, damage, message):
    damage(folders[0])
    with pytest.raises(NegjaxError, match=message) as error:
        page_of(folders, tmp_path, data_dir=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("r.*"))


def test_the_page_must_be_called_html(folders, tmp_path):
    with pytest.raises(NegjaxError, match=r"r\.csv: give a name that ends in \.html"):
        write_report(folders, tmp_path / "r.csv", title="t")


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
