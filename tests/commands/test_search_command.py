"""`negjax index` and `negjax search`, from files to tables, JSON and pages."""

import json
import re
from pathlib import Path

import pytest
from support.command import run_command
from support.folders import fill
from support.models import tiny_model

from negjax.weights.write import write_negjax

NAME = '<img src=x onerror="alert(1)">&.png'


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with an odd name in it, and where its model lies."""
    folder = tmp_path_factory.mktemp("commands")
    write_negjax(tiny_model(), folder / "tiny")
    photos = fill(folder / "photos", 6)
    (photos / "a/00.png").rename(photos / NAME)
    return photos, folder / "tiny"


def test_from_a_folder_to_results(indexed, tmp_path, capsys):
    photos, model = indexed
    out = tmp_path / "index"
    (tmp_path / "link").symlink_to(photos)
    words = ("index", photos, "--model", model, "--out", out)
    code, printed, _ = run_command(capsys, *words)
    assert (code, printed.splitlines()) == (
        0,
        ["6 files: 6 added, 0 moved or copied, 0 unchanged; 0 removed", f"written: {out}"],
    )
    code, printed, _ = run_command(capsys, *words)
    assert printed.startswith("6 files: 0 added, 0 moved or copied, 6 unchanged")

    code, printed, _ = run_command(capsys, "search", out, "a beach without people", "-k", 3)
    assert code == 0
    assert len(re.findall(r"^ +\d +-?0\.\d{4} ", printed, re.MULTILINE)) == 3
    assert "asked: a beach; excluded: people (subtract, weight 0.5)" in printed

    search = ("search", out, "a beach without people", "--negation", "lcse")
    code, printed, _ = run_command(capsys, *search, "--json", "--html", tmp_path / "page.html")
    found = json.loads(printed)
    assert found["query"]["asked"] == "a beach"
    assert found["query"]["excluded"] == ["people"]
    assert {file["path"] for file in found["results"]} == {
        path.relative_to(photos).as_posix() for path in photos.rglob("*.png")
    }
    page = (tmp_path / "page.html").read_text()
    assert page.count('src="data:image/webp;base64,') == 6
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=" in page
    assert "<script" not in page

    code, printed, _ = run_command(capsys, "search", out, "--like", photos / "b/01.png", "--json", "-k", 1)
    assert json.loads(printed)["results"][0]["path"] == "b/01.png"

    moved = tmp_path / "moved"
    model.rename(moved)
    code, _, error = run_command(capsys, "search", out, "a dog")
    assert code == 2
    assert "give the model as --model" in error
    assert run_command(capsys, "search", out, "a dog", "--model", moved)[0] == 0
    moved.rename(model)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "missing", "a dog"], "missing is no index"),
        (["search", "missing"], "the query is blank"),
        (["search", "missing", "a dog", "-k", "0"], "-k 0: it must be at least 1"),
        (["index", "missing", "--model", "m", "--out", "o", "--frames", "0"], "--frames 0: it must be at least 1"),
    ],
)
def test_errors_are_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = run_command(capsys, *words)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
