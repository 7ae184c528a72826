"""The browser of questions: its data in the page, and what Chromium makes of it."""

import base64
import io
import json
import re

import pytest
from PIL import Image
from support.images import noise_png
from support.report_runs import NASTY, ROWS, Page, dump_dom, make_runs, update_task

from negjax.datasets.stored.store import write_set
from negjax.evaluation.report.report import write_report
from negjax.evaluation.report.sections.question_browser import question_outcome


@pytest.fixture
def folders(tmp_path):
    return make_runs(tmp_path)


@pytest.fixture
def page(folders, tmp_path):
    """The report's file."""
    out = tmp_path / "r.html"
    write_report(folders, out, title="as it was", data_dir=tmp_path / "data")
    return out


def test_the_data_in_the_page(page):
    text = page.read_text()
    scripts = Page(text).scripts
    assert set(scripts) == {"on.data", "on.thumbnails", ""}
    data = json.loads(scripts["on.data"])
    (task,) = data["tasks"]
    assert (data["runs"], task["name"], task["id"]) == (["before", "after"], "asked", list(range(ROWS)))
    assert [data["texts"][i] for i in task["options"][7]] == [
        "<b>7</b> & a hat",
        NASTY,
        'no "cat" \u2028 here',
        "a dog's 7",
    ]
    assert [task["kinds"][i] for i in task["kind"]][:4] == ["positive", "negative", "hybrid", "positive"]
    assert [task["runs"][run]["outcomes"] for run in data["runs"]] == ["111000000000", "111111111000"]
    assert task["runs"]["before"]["picks"] == [0] * 3 + [2] * 9
    assert task["runs"]["before"]["scores"][3] == [1000, 0, 2500, 0]
    assert task["image"] == [i % 6 for i in range(ROWS)]
    pictures = json.loads(scripts["on.thumbnails"])
    assert len(pictures) == 6
    image = Image.open(io.BytesIO(base64.b64decode(pictures[1])))
    assert (image.format, image.size) == ("WEBP", Image.open(io.BytesIO(noise_png(1))).size)


def test_no_text_of_the_data_is_seen_by_html(page):
    text = page.read_text()
    assert NASTY not in text
    assert text.count("</script>") == 3
    assert "\u2028" not in text
    assert not re.search(r"<b>\d+</b> &", text)


@pytest.mark.parametrize(
    ("scores", "answer", "ended"),
    [([0.1, 0.2], 1, "right"), ([0.2, 0.1], 1, "wrong"), ([0.2, 0.2, 0.1], 1, "tied"), ([0.2, 0.2, 0.1], 2, "wrong")],
)
def test_how_a_question_ends(scores, answer, ended):
    assert question_outcome(scores, answer) == ended


def test_the_middle_frame_stands_for_a_clip(folders, tmp_path, test_data):
    clip = (test_data / "videos/rotated_90.mov").read_bytes()
    rows = [{"media": clip, "options": list("abcd"), "answer": 0, "kind": "", "group": i} for i in range(ROWS)]
    metadata = {"task_kind": "mcq", "negated": True, "altered": "", "source": {}, "media_type": "video"}
    write_set(tmp_path / "clips", "asked", lambda: iter(rows), ["question"], metadata)
    for folder in folders:
        update_task(folder, set={})
        path = folder / "predictions/asked.csv"
        path.write_text(re.sub("positive|negative|hybrid", "", path.read_text()))
    write_report(folders, tmp_path / "r.html", title="t", data_dir=tmp_path / "clips")
    (picture,) = json.loads(Page((tmp_path / "r.html").read_text()).scripts["on.thumbnails"])
    width, height = Image.open(io.BytesIO(base64.b64decode(picture))).size
    assert max(width, height) == 112


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("", list(range(12))),
        ("#asked?wrong=before&right=after", [3, 4, 5, 6, 7, 8]),
        ("#asked?kind=hybrid&wrong=after", [11]),
        ("#asked?search=DOG%27s+hat+7", [7]),
        ("#asked?search=parrot", []),
    ],
)
def test_filters_in_the_address(page, tmp_path, address, ids):
    dom = dump_dom(page, address, tmp_path)
    assert [int(i) for i in re.findall(r'<article class="card" tabindex="0">.*?>#(\d+)</a>', dom)] == ids
    assert f"{len(ids)} of 12 questions" in dom
    assert "<title>as it was</title>" in dom


def test_a_link_to_a_question(page, tmp_path):
    dom = dump_dom(page, "#asked/4", tmp_path)
    (card,) = re.findall(r'<article class="card linked".*?</article>', dom)
    assert ">#4</a>" in card
    rows = re.findall(r"<tr.*?</tr>", card)[1:]
    assert "&lt;b&gt;4&lt;/b&gt; &amp; a hat" in rows[0]
    assert rows[0].startswith('<tr class="right">')
    assert re.findall(r'<td class="score ?(\w*)">([^<]*)', rows[0]) == [("", "0.1000"), ("good", "✓ 0.5000")]
    assert re.findall(r'<td class="score ?(\w*)">([^<]*)', rows[2]) == [("bad", "✗ 0.2500"), ("", "0.2500")]
    assert 'src="data:image/webp;base64,' in card
