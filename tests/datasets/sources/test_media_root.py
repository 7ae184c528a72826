"""Files are found by the longest suffix of a path, and never outside the folder."""

import itertools
import unicodedata
from pathlib import Path

import pytest

from negjax.datasets.sources.media_root import MediaRoot
from negjax.errors import NegjaxError


def place(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def test_the_longest_suffix_wins(tmp_path):
    short = place(tmp_path / "1.jpg")
    long = place(tmp_path / "val" / "1.jpg")
    root = MediaRoot(tmp_path)
    assert str(root.find("/mnt/other/coco/val/1.jpg")) == long
    assert str(root.find("val//./1.jpg")) == long
    assert str(root.find("D:\\coco\\val\\1.jpg")) == long
    assert str(root.find("train/1.jpg")) == short
    assert root.find("val/2.jpg") is None
    assert root.find("somewhere/val") is None  # a folder
    assert root.find("/") is root.find("") is root.find("1.jpg\0") is None


@pytest.mark.parametrize("path", ["../secret.jpg", "a/../../secret.jpg", "/x/../secret.jpg", "{outside}"])
def test_nothing_outside_the_folder_is_found(tmp_path, path):
    outside = place(tmp_path / "secret.jpg")
    (tmp_path / "media" / "a").mkdir(parents=True)
    root = MediaRoot(tmp_path / "media")
    assert root.find(path.format(outside=outside)) is None
    inside = place(tmp_path / "media" / "secret.jpg")
    assert str(root.find(path.format(outside=outside))) == inside


def forms(path: str) -> set[str]:
    """Every mixture of composed and decomposed parts of a path."""
    parts = [[unicodedata.normalize(form, part) for form in ("NFC", "NFD")] for part in path.split("/")]
    return {"/".join(mixture) for mixture in itertools.product(*parts)}


@pytest.mark.parametrize("on_disk", sorted(forms("Müller/ça/é.jpg")))
def test_paths_that_mix_composed_and_decomposed_letters(tmp_path, on_disk):
    mixed = unicodedata.normalize("NFC", "Zoë") + unicodedata.normalize("NFD", "é.jpg")  # in one name
    expected, other = place(tmp_path / on_disk), place(tmp_path / mixed)
    root = MediaRoot(tmp_path)
    for written in forms("/mnt/Müller/ça/é.jpg"):
        assert str(root.find(written)) == expected
    for written in forms("Zoëé.jpg") | {mixed}:
        assert str(root.find(written)) == other
    assert root.find("Müller/ça/è.jpg") is root.find("é/é.jpg") is None


def test_a_form_of_its_own_wins(tmp_path):
    """Both forms are names of their own on Linux."""
    names = [place(tmp_path / unicodedata.normalize(form, "é.jpg")) for form in ("NFC", "NFD")]
    assert len(set(names)) == 2
    for name in names:
        assert str(MediaRoot(tmp_path).find(name)) == name


@pytest.mark.parametrize("scheme", ["s3://bucket", "https://host", "gs://bucket", "file:///"])
def test_addresses_in_rows_are_found_by_their_ends_only(tmp_path, monkeypatch, scheme):
    """A row names the place of another machine, whatever kind of place."""
    monkeypatch.chdir(tmp_path)
    expected = place(tmp_path / "root" / "a" / "1.jpg")
    assert str(MediaRoot("root").find(f"{scheme}/x/a/1.jpg")) == str(Path(expected).relative_to(tmp_path))
    assert MediaRoot("root").find(f"{scheme}/x/2.jpg") is None
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize("root", ["s3://bucket/x", "https://host/x"])
def test_foreign_media_roots(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NegjaxError, match=f"--media-root {root}: .* is not supported"):
        MediaRoot(root)
    assert not list(tmp_path.iterdir())


def test_a_packed_folder(tmp_path):
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(NegjaxError, match=r"--media-root .*images\.zip is a file: unpack it, and give the folder"):
        MediaRoot(tmp_path / "images.zip")


def test_no_such_folder(tmp_path):
    with pytest.raises(NegjaxError, match=r"folder .*/absent not found: .* --media-root"):
        MediaRoot(tmp_path / "absent")
