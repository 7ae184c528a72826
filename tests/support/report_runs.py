"""Two small runs for the report, and what their page holds."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from negjax.datasets.stored.store import open_set, write_set
from negjax.evaluation.fingerprint import SetFingerprint
from negjax.evaluation.report.report import write_report
from support.images import noise_png

QUESTION_KINDS = ("positive", "negative", "hybrid")
NASTY = "</script><script>document.title='taken over'</script>"
ROWS = 12
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--dump-dom",
)


class Page(HTMLParser):
    """The texts of the cells of each table, row by row; every link; the content of every script by its id."""

    def __init__(self, page: str):
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.scripts: dict[str, str] = {}
        self.ids: list[str] = []
        self._rows: list[list[str]] | None = None
        self._in_cell = False
        self._script: str | None = None
        self.feed(page)

    @property
    def headline(self) -> list[list[str]]:
        return self.tables["headline sortable"]

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "table":
            self._rows = self.tables.setdefault(attributes.get("class", ""), [])
        if tag == "tr" and self._rows is not None:
            self._rows.append([])
        if tag in ("th", "td") and self._rows:
            self._rows[-1].append("")
            self._in_cell = True
        if tag == "script":
            self._script = attributes.get("id", "")
            self.scripts[self._script] = ""

    def handle_endtag(self, tag):
        if tag == "table":
            self._rows = None
        if tag in ("th", "td"):
            self._in_cell = False
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] += data
        elif self._rows and self._in_cell:
            self._rows[-1][-1] += f"{data} "


def dump_dom(page: Path, address: str, tmp_path: Path) -> str:
    """The HTML that Chromium has made of a page at an address within it; skips the test where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    command = [CHROMIUM, *CHROMIUM_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{page}{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def results(accuracy: float, recall: float | None) -> dict[str, Any]:
    asked = {
        "kind": "mcq",
        "negated": True,
        "n": ROWS,
        "metrics": {"accuracy": accuracy} | {f"{kind}_accuracy": accuracy for kind in QUESTION_KINDS},
        "ci95": {"accuracy": [accuracy - 0.1, accuracy + 0.1]},
        "blind": {"mean_image": {"accuracy": 0.25}},
    }
    found = {"kind": "retrieval", "negated": False, "n": 8, "ci95": {}, "blind": {}}
    tasks = {"asked": asked}
    if recall is not None:
        tasks["found"] = found | {"metrics": {"image_retrieval_recall@5": recall}}
    return {"model": {"arch": "<tiny>"}, "software": {"jax": "0"}, "tasks": tasks}


def write_page(folders: list[Path], tmp_path: Path, **options: Any) -> tuple[str, Page]:
    """The report of these folders, as text and read."""
    write_report(folders, tmp_path / "r.html", title="t", **options)
    text = (tmp_path / "r.html").read_text()
    return text, Page(text)


def update_task(folder: Path, **changes: Any) -> None:
    """Changes the task "asked" in a folder's results."""
    content = json.loads((folder / "results.json").read_text())
    content["tasks"]["asked"] |= changes
    (folder / "results.json").write_text(json.dumps(content))


def add_task(folder: Path, name: str, task: dict[str, Any], predictions: str) -> None:
    content = json.loads((folder / "results.json").read_text())
    content["tasks"][name] = {"negated": True, "ci95": {}, "blind": {}, "set": {"questions": "q", "media": "m"}} | task
    (folder / "results.json").write_text(json.dumps(content))
    (folder / f"predictions/{name}.csv").write_text(predictions)


def set_sums(data_dir: Path, name: str) -> dict[str, str]:
    """What results.json records of a stored set."""
    data = open_set(data_dir, name)
    fingerprint = SetFingerprint(data)
    for row in data.rows():
        fingerprint.add(row)
    return fingerprint.sums()


def make_runs(tmp_path: Path) -> list[Path]:
    """Two runs, "before" (3 of 12 right) and "after/eval" (9 right, and a task more); the set is in tmp_path/data.

    Pictures come twice each in the set, but not in the predictions' column "image".
    """
    rows = [
        {
            "media": noise_png(i % 6),
            "options": [f"<b>{i}</b> & a hat", NASTY, 'no "cat" \u2028 here', f"a dog's {i}"],
            "answer": 0,
            "kind": QUESTION_KINDS[i % 3],
            "group": i,
        }
        for i in range(ROWS)
    ]
    metadata = {"task_kind": "mcq", "negated": True, "altered": "", "tokenizer": "clip", "source": {}}
    write_set(tmp_path / "data", "asked", lambda: iter(rows), ["question"], metadata)
    asked, folders = set_sums(tmp_path / "data", "asked"), []
    for name, content, right in (("before", results(0.25, None), 3), ("after/eval", results(0.75, 0.5), 9)):
        folder = tmp_path / name
        (folder / "predictions").mkdir(parents=True)
        content["tasks"]["asked"]["set"] = asked
        (folder / "results.json").write_text(json.dumps(content))
        lines = [
            f"{i},{i},{QUESTION_KINDS[i % 3]},0,{0 if i < right else 2},{0.5 if i < right else 0.1},0,0.25,0,{i}"
            for i in range(ROWS)
        ]
        header = "id,group,kind,answer,predicted,score_0,score_1,score_2,score_3,image"
        (folder / "predictions/asked.csv").write_text("\n".join([header, *lines]) + "\n")
        folders.append(folder)
    return folders
