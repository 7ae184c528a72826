"""The leaderboard on the page: figures are those of results.json, beside their blind figures and published ones."""

import json

import pytest
from support.report_runs import Page, add_task, make_runs, results, update_task, write_page

from negjax.evaluation.report.report import write_report

COCO_MCQ = "COCO_val_mcq_llama3.1_rephrased.csv"


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


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
    assert after == "33.3 [23.3–43.3] +0.0 points same set unknown blind 14.3 gain over blind +19.0 text only 66.7"
    assert 'class="up"' not in text
    assert 'class="down"' not in text
    assert text.count("<h1>§body§") == 1


def test_published_rows_stand_beside_the_runs(folders, tmp_path):
    for folder in folders:
        update_task(folder, source={"file": COCO_MCQ, "sha256": "", "rows": 5914, "skipped": 0})
    text, page = write_page(folders, tmp_path)
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
    update_task(folders[1], source={"file": f"some/where/{COCO_MCQ}", "sha256": "", "rows": 5914, "skipped": 5902})
    text, page = write_page(folders, tmp_path)
    assert "on a subset of 12 of 5,914 rows: not comparable" in page.headline[0][1]
    update_task(folders[1], source={"file": "my_questions.csv", "sha256": "", "rows": 5914, "skipped": 5902})
    text, page = write_page(folders, tmp_path)
    assert len(page.headline) == 3
    assert "not comparable" not in text


def test_another_file_of_a_published_name(folders, tmp_path, caplog):
    """One with another number of rows is none of them; one with as many and other content is labelled."""
    for folder in folders:
        update_task(folder, source={"file": COCO_MCQ, "sha256": "0" * 64, "rows": 12, "skipped": 0})
    text, page = write_page(folders, tmp_path)
    assert len(page.headline) == 3
    note = f"asked: {COCO_MCQ} has 12 rows, and the published file of that name 5,914: published figures are left out"
    assert text.count(note) == 1
    assert caplog.text.count(note) == 1
    assert "published figures are left out" in (tmp_path / "r.md").read_text()
    for folder in folders:
        update_task(folder, source={"file": COCO_MCQ, "sha256": "0" * 64, "rows": 5914, "skipped": 0})
    text, page = write_page(folders, tmp_path)
    assert len(page.headline) > 3
    assert "of a file with other content than the published one: not comparable" in page.headline[0][1]


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
    text, page = write_page(folders, tmp_path)
    heads, _, after = page.headline
    column = next(i for i, head in enumerate(heads) if "violation" in head)
    assert "lower is better" in heads[column]
    assert "−30.0 points" in after[column]
    assert "blind 30.0" in after[column]
    assert '<span class="up">−30.0 points' in text
    compared = [[cell.replace(" ", "") for cell in row[:4]] for row in page.tables["figures"]]
    assert ["after", "queries", "violation@10", "−30.0"] in compared
