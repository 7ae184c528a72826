"""The page of samples of a set: what it shows, that nothing in a set becomes HTML, and where boxes come from."""

import html.parser
import re
from pathlib import Path

import pytest
from support.command import run_command
from support.images import noise_png

from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import write_set
from negjax.datasets.synth.extract import run_extract
from negjax.datasets.synth.propose import ProposeSettings, run_propose
from negjax.datasets.synth.verify import FoundBox, Verdict, run_verify
from negjax.errors import NegjaxError
from negjax.evaluation.preview import write_preview

HOSTILE = '<img src=x onerror=alert(1)> & "quotes" <script>alert(2)</script>'


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text of the page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def with_class(self, name: str) -> list[dict]:
        return [attributes for _, attributes in self.tags if name in (attributes.get("class") or "").split()]


def question(i: int) -> dict:
    return {
        "media": noise_png(i, (60, 40)),
        "captions": [f"caption {i}", HOSTILE],
        "positive_objects": ["dog", HOSTILE],
        "negative_objects": ["cat"],
        "options": [f"option {i}", "no dog"],
        "answer": 1,
        "kind": "negative",
        "option_kinds": ["positive", "negative"],
    }


@pytest.fixture
def data_dir(tmp_path) -> Path:
    metadata = {"task_kind": "train", "negated": True, "altered": ""}
    rows = [question(i) for i in range(7)]
    write_set(tmp_path / "data", "mine", lambda: iter(rows), ("captions", "question"), metadata)
    return tmp_path / "data"


def test_what_the_page_shows(data_dir, tmp_path, capsys):
    page = tmp_path / "mine.html"
    code, _, err = run_command(capsys, "data", "preview", "mine", "--data-dir", data_dir, "--html", page, "--count", 3)
    assert code == 0, err
    text = page.read_text()
    read = Page(text)
    assert re.findall(r"row (\d+)</h2>", text) == ["0", "3", "6"]
    assert [attributes["alt"] for tag, attributes in read.tags if tag == "img"] == ["row 0", "row 3", "row 6"]
    assert "option 3" in read.text
    assert "option 1" not in read.text
    assert read.text.count(HOSTILE) == 6  # as text: a caption and an object of each
    assert "script" not in {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert len(read.with_class("right")) == len(read.with_class("wrong")) == 3
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", text)
    assert "default-src 'none'" in text


class Boxes:
    """A verifier that sees a dog in each image, and a bus that it refutes."""

    name, settings = "owl above 0.1", {}

    def check(self, rows):
        seen = (FoundBox("dog", 0.75, 0.25, 0.5, 0.75, 1.0), FoundBox("bus", 0.31, 0.0, 0.0, 0.5, 0.25))
        return [Verdict({"bus"}, seen) for _ in rows]


def test_boxes_of_the_detector(data_dir, tmp_path):
    captions = [["A dog and a horse"], ["A dog on a boat"], ["A boat and a horse"]]
    lines = ["filepath,caption", *(f"{i}.png,{captions[i % 3][0]}" for i in range(21))]
    (tmp_path / "captions.csv").write_text("\n".join(lines) + "\n")
    run_extract(table_source("captions", tmp_path / "captions.csv", tmp_path), tmp_path / "work", progress=False)
    run_propose(tmp_path / "work", ProposeSettings(max_risk=0.9), progress=False)
    run_verify(tmp_path / "work", Boxes(), progress=False)
    metadata = {"task_kind": "retrieval", "negated": False, "altered": ""}
    rows = [
        {"id": i, "media": noise_png(i), "captions": captions[i % 3], "positive_objects": ["dog"]} for i in range(7)
    ]
    write_set(data_dir, "train", lambda: iter(rows), ("captions",), metadata)
    asked = [{"media": noise_png(5), "captions": ["A dog, but no cat"]}]
    origin = {"source": {"derived_from": "train", "file": ""}}
    write_set(data_dir, "derived", lambda: iter(asked), ("captions",), metadata | origin)
    for name, shown in (("train", 3), ("derived", 1)):
        write_preview(data_dir, name, tmp_path / "page.html", count=3, synth=tmp_path / "work")
        read = Page((tmp_path / "page.html").read_text())
        boxes = read.with_class("box")
        assert len(boxes) == 2 * shown
        assert boxes[0]["style"] == "left:25.00%;top:50.00%;width:50.00%;height:50.00%"
        assert "dog 0.75" in read.text
        assert read.text.count("checked by owl above 0.1") == shown
    assert boxes[1]["class"] == "box denied"
    with pytest.raises(NegjaxError, match=r"set mine is not of the stages in .*work: give their --out as --synth"):
        write_preview(data_dir, "mine", tmp_path / "page.html", synth=tmp_path / "work")


def test_wrong_requests(data_dir, tmp_path):
    with pytest.raises(NegjaxError, match=r"would be written to .*page.txt: give a name that ends in .html"):
        write_preview(data_dir, "mine", tmp_path / "page.txt")
    with pytest.raises(NegjaxError, match="--count 0: give 1 or more"):
        write_preview(data_dir, "mine", tmp_path / "page.html", count=0)
    with pytest.raises(NegjaxError, match="set other not found"):
        write_preview(data_dir, "other", tmp_path / "page.html")
