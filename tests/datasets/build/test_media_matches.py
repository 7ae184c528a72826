"""Two paths of a source never become one file, and a file that is found without folders is told."""

import unicodedata
from pathlib import Path

import pytest
from support.images import noise_png
from support.tars import write_tar

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


def place(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(noise_png(i))
    return root


def build(tmp_path: Path, root: Path, paths: list[str], kind: str = "pairs"):
    table = tmp_path / "t.csv"
    table.write_text(
        "filepath,caption,negative_caption\n" + "".join(f"{path},a {i},no {i}\n" for i, path in enumerate(paths)),
        encoding="utf-8",
    )
    return build_evaluation_set(table_source(kind, table, root), "s", tmp_path / "sets", progress=False, overwrite=True)


def doubts(notes: tuple[str, ...]) -> list[str]:
    return [note for note in notes if "found only without folders" in note]


@pytest.mark.parametrize(
    ("found", "paths"),
    [
        (["0001.png"], ["cats/0001.png", "dogs/0001.png"]),  # the media root lies one level too deep
        (["a/view1.png", "view1.png"], ["/d/a/view1.png", "/d/b/view1.png", "/d/c/view1.png"]),  # CheXpert's names
        (["x/1.png"], ["x/1.png", "/mnt/x/1.png"]),
        (["1.png"], ["../u/1.png", "../v/1.png"]),
    ],
)
def test_two_paths_that_are_found_as_one_file_are_an_error(tmp_path, found, paths):
    root = place(tmp_path / "root", *found)
    with pytest.raises(NegjaxError) as caught:
        build(tmp_path, root, paths)
    message = str(caught.value)
    assert f"({paths[-2]})" in message
    assert f"({paths[-1]})" in message
    assert f"both are found as {root / found[-1]}: give as --media-root" in message
    assert not (tmp_path / "sets").exists()


def test_also_in_a_tar_file_and_in_json(tmp_path):
    tar = write_tar(tmp_path / "root" / "00000.tar", {"1.png": noise_png(1)})
    with pytest.raises(NegjaxError, match=r"both are found as .*00000.tar/1.png"):
        build(tmp_path, tar.parent, ["a/00000/1.png", "b/00000/1.png"])
    place(tmp_path / "flat", "1.png")
    items = '{"0": {"filename": "a/1.png", "caption": "x", "negative_caption": "y"},'
    items += '"1": {"filename": "b/1.png", "caption": "x", "negative_caption": "y"}}'
    (tmp_path / "b.json").write_text(items)
    with pytest.raises(NegjaxError, match=r"row 0 \(a/1.png\) and row 1 \(b/1.png\) name two files"):
        build_evaluation_set(json_source(tmp_path / "b.json", tmp_path / "flat"), "s", tmp_path, progress=False)


def test_links_to_one_file_are_two_paths_of_the_user(tmp_path):
    root = place(tmp_path / "root", "a/1.png")
    (root / "b").mkdir()
    (root / "b" / "1.png").symlink_to(root / "a" / "1.png")
    assert build(tmp_path, root, ["a/1.png", "b/1.png"]).written == 2


@pytest.mark.parametrize("in_home", [False, True])
def test_a_file_found_without_folders_that_others_are_in_is_told(tmp_path, monkeypatch, in_home):
    monkeypatch.setenv("HOME", str(tmp_path))
    root = place(tmp_path / "root", "a/1.png", "2.png", "c/3.png")
    given = Path("~/root") if in_home else root
    (note,) = doubts(build(tmp_path, given, ["/d/a/1.png", "/d/b/2.png", "/d/c/3.png"]).notes)
    assert note.startswith("1 files are found only without folders of their paths, which others are in")
    assert f"row 1: /d/b/2.png is {root}/2.png" in note


@pytest.mark.parametrize(
    ("found", "paths"),
    [
        (["a/1.png", "b/2.png"], ["/mnt/d/a/1.png", "/mnt/d/b/2.png"]),
        (["1.png", "2.png"], ["/mnt/d/a/1.png", "/mnt/d/b/2.png"]),  # all in one folder
        (["1.png", "b/2.png"], ["/mnt/d/1.png", "/mnt/d/b/2.png"]),
        (["a/1.png", "b/2.png"], ["/mnt/d/a/1.png", "/home/me/d/b/2.png"]),  # written on two machines
        (["1.png", "a/2.png"], ["root/1.png", "root/a/2.png"]),  # the media root is the folder that is left out
    ],
)
def test_usual_folders_are_not_remarked_upon(tmp_path, found, paths):
    assert doubts(build(tmp_path, place(tmp_path / "root", *found), paths).notes) == []


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_file", ["NFC", "NFD"])
def test_letters_with_accents_are_found_in_either_form(tmp_path, on_disk, in_file):
    name = "Müller/Zoë é.png"
    root = place(tmp_path / "root", unicodedata.normalize(on_disk, name))
    write_tar(root / "00000.tar", {unicodedata.normalize(on_disk, "é.png"): noise_png(7)})
    written = unicodedata.normalize(in_file, name)
    build(tmp_path, root, [f"/mnt/{written}", unicodedata.normalize(in_file, "/mnt/00000/é.png")])
    data = open_set(tmp_path / "sets", "s")
    assert [row["media"] for row in data.rows()] == [noise_png(0), noise_png(7)]
