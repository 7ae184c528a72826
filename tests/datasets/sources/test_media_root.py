"""Files are found by the longest suffix of a path, and never outside the folder."""

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


def test_no_such_folder(tmp_path):
    with pytest.raises(NegjaxError, match=r"folder .*/absent not found: .* --media-root"):
        MediaRoot(tmp_path / "absent")
