"""The report's figures as CSV, Markdown and LaTeX."""

import csv
import json
import re

import pytest
from support.report_runs import make_runs, update_task

from negjax.evaluation.report.report import write_report


@pytest.fixture
def written(tmp_path):
    """written(ending): what the report of two runs wrote beside its page; "after" has other names and figures."""
    folders = make_runs(tmp_path)
    odd = folders[0].rename(tmp_path / "100%_a|b & {c}")
    update_task(odd, source={"file": "COCO_val_mcq_llama3.1_rephrased.csv", "rows": 5914, "skipped": 5902})
    write_report([odd, folders[1]], tmp_path / "out/r.html", title="t")
    return lambda ending: (tmp_path / f"out/r.{ending}").read_text()


def test_every_figure_is_in_the_csv(written, tmp_path):
    rows = list(csv.DictReader(written("csv").splitlines()))
    row_by_figure = {(row["run"], row["task"], row["metric"]): row for row in rows}
    assert len(row_by_figure) == len(rows) == 4 + 5
    for name, folder in (("100%_a|b & {c}", tmp_path / "100%_a|b & {c}"), ("after", tmp_path / "after/eval")):
        for task, result in json.loads((folder / "results.json").read_text())["tasks"].items():
            for metric, value in result["metrics"].items():
                row = row_by_figure[name, task, metric]
                assert float(row["value"]) == value
                assert [float(row[end]) for end in ("low", "high") if row[end]] == result["ci95"].get(metric, [])
                assert int(row["n"]) == result["n"]
    after = row_by_figure["after", "asked", "accuracy"]
    assert float(after["blind_mean_image"]) == 0.25
    assert (float(after["change"]), float(after["p_value"])) == (0.5, 2 / 2**6)
    assert row_by_figure["after", "asked", "hybrid_accuracy"]["change"] == ""


def test_the_leaderboard_as_markdown(written):
    lines = written("md").splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert {len(row) for row in cells} == {3}
    assert "on a subset of 12 of 5,914 rows: not comparable" in cells[0][1]
    assert cells[2][0] == r"100%\_a\|b \& {c}"
    assert cells[2][1] == "25.0 [15.0–35.0]"
    assert cells[3] == ["after", "75.0 [65.0–85.0]", "50.0"]
    assert ["CLIP ViT-B/32 (arXiv 2501.09425, corrected version)", "39.2", ""] in cells


def test_the_leaderboard_as_latex(written):
    text = written("tex")
    rows = [line.partition(r" \\")[0].split(" & ") for line in text.splitlines() if " & " in line]
    assert {len(row) for row in rows} == {3}
    assert rows[1][:2] == [r"100\%\_a\textbar{}b \& \{c\}", "25.0 [15.0--35.0]"]
    assert rows[2] == ["after", "75.0 [65.0--85.0]", "50.0"]
    assert ["NegCLIP + NegFull", "56.2", ""] in rows
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\end{tabular}") == 1


def test_hostile_names(tmp_path):
    """No cell is a formula, no name is markup, a link, a formula of TeX or the argument of a line break."""
    before, after = make_runs(tmp_path)
    first = before.rename(tmp_path / "=HYPERLINK('x')\u202e\x1b[2J")
    second = after.parent.rename(tmp_path / "[*$a$ <b> ~x~")
    write_report([first, second / "eval"], tmp_path / "r.html", title="t")
    exports = {ending: (tmp_path / f"r.{ending}").read_text() for ending in ("csv", "md", "tex", "html")}
    assert not any(character in text for text in exports.values() for character in "\x1b\u202e")
    names = list(dict.fromkeys(row["run"] for row in csv.DictReader(exports["csv"].splitlines())))
    assert names == ["'=HYPERLINK('x')\\u202e\\x1b[2J", "[*$a$ <b> ~x~"]
    assert exports["md"].splitlines()[3].startswith(r"| \[\*\$a\$ \<b\> \~x\~ |")
    assert r"{}[*\$a\$ \textless{}b\textgreater{} \textasciitilde{}x" in exports["tex"]
    assert "[*$a$ &lt;b&gt; ~x~" in exports["html"]
