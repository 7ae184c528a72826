"""The page's HTML: texts never become markup, only the page's own script may run, and tables sort."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError
from support.images import noise_png
from support.report_runs import Page, add_task, dump_dom, make_runs, update_task, write_page

from negjax.datasets.stored.store import write_set
from negjax.evaluation.report.formats import p_value, signed_points, trend
from negjax.evaluation.report.page import render_page
from negjax.evaluation.report.report import write_report

HOSTILE = "\"'><img src=x onerror=alert(1)><!--{{ 7 * 7 }}"


class TagReader(HTMLParser):
    """The tags of a page in order, with the names of their attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data):
        self.tags.append(("comment", data))


def page_with_texts(text: str, root) -> str:
    """A page with every section, in which the names and texts that a user chooses contain `text`."""
    folders = []
    for name in ("first", "second"):
        before, _ = make_runs(root / name)
        folder = before.rename(root / f"{name} {text}")
        update_task(folder, confusion={text: {"right": 0.5, text: 0.5}}, blind={text: {"accuracy": 0.1}})
        bias = {"kind": "affirmation", "n": 1, "metrics": {"accuracy": 1.0}, "affirmation_bias": {text: 0.5}, "set": {}}
        add_task(folder, "bias", bias, "id,group,kind,answer,predicted,score_0,score_1,image\n0,0,a,0,0,1,0,0\n")
        points = "object,template,x,y,text\ndog,yes,0,0,a\ndog,no,1,1,b\n"
        (folder / "predictions/bias.bias.csv").write_text(points)
        for task in ("found", f"task {text}"):
            retrieval = {
                "kind": "retrieval",
                "n": 1,
                "metrics": {"image_retrieval_recall@5": 1.0, f"m {text}": 0.5},
                "set": {},
            }
            add_task(folder, task, retrieval, "caption_id,image_id,rank,ties\n0,0,1,0\n")
        folders.append(folder)
    data_dir = root / "first/data"
    metadata = {"negated": True, "altered": "", "source": {}}
    question = {"media": noise_png(0), "options": [text, "b"], "answer": 0, "kind": "a", "group": 0}
    write_set(data_dir, "bias", lambda: iter([question]), ["question"], metadata | {"task_kind": "affirmation"})
    captions = {"media": noise_png(0), "captions": [text], "group": 0}
    write_set(data_dir, "found", lambda: iter([captions]), ["captions"], metadata | {"task_kind": "retrieval"})
    out = root / "r.html"
    write_report(folders, out, title=text, data_dir=data_dir, notes=[text])
    return out.read_text()


def test_no_text_becomes_markup(tmp_path):
    """A page of hostile texts has the same tags as one of harmless texts."""
    hostile = page_with_texts(HOSTILE, tmp_path / "hostile")
    harmless = page_with_texts("harmless", tmp_path / "harmless")
    assert TagReader(hostile).tags == TagReader(harmless).tags
    assert "<img src=x" not in hostile
    assert harmless.count("harmless") > 30
    for section in ("leaderboard", "comparisons", "kinds", "confusion", "bias", "browser", "worst", "everything"):
        assert f'id="on.{section}"' in hostile


def test_the_policy_allows_the_script_of_the_page_alone(tmp_path):
    text, page = write_page(make_runs(tmp_path), tmp_path)
    digest = base64.b64encode(hashlib.sha256(page.scripts[""].encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text


def test_a_section_without_data_is_an_error():
    with pytest.raises(UndefinedError, match="leaderboard"):
        render_page("t", [], {})


def test_figures_as_texts():
    assert [signed_points(x) for x in (0.5, -0.3, 0.0004, -0.0004, -0.0006)] == [
        "+50.0",
        "−30.0",
        "+0.0",
        "+0.0",
        "−0.1",
    ]
    assert [trend(x, False) for x in (0.1, -0.1, 0.0004, -0.0004)] == ["up", "down", "", ""]
    assert [trend(x, True) for x in (0.1, -0.1)] == ["down", "up"]
    assert [p_value(p) for p in (0.0009, 0.001, 0.25)] == ["< 0.001", "0.001", "0.250"]


@pytest.mark.parametrize(
    ("clicks", "order", "rows"),
    [
        (1, "descending", ["after", "before"]),
        (2, "ascending", ["before", "after"]),
        (3, None, ["before", "after"]),
    ],
)
def test_a_click_on_a_heading_sorts(tmp_path, clicks, order, rows):
    """By falling figures, by rising ones, then as before; on a copy of the page whose policy allows the clicks."""
    text, _ = write_page(make_runs(tmp_path), tmp_path)
    text = re.sub(r"<meta http-equiv=.*?>", "", text)
    click = "document.querySelectorAll('table.sortable button')[0].click();" * clicks
    copy = tmp_path / "clicked.html"
    copy.write_text(text.replace("</body>", f"<script>{click}</script></body>"))
    dom = dump_dom(copy, "", tmp_path)
    headline = Page(dom).headline
    assert [row[0].strip() for row in headline[1:]] == rows
    assert re.findall(r'<th [^>]*aria-sort="(\w+)"', dom) == ([order] if order else [])
