import os

import pytest

from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic


def test_replaces_and_makes_folders(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "naïve")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [file.name for file in path.parent.iterdir()] == ["b.txt"]


def test_text_is_utf8_and_readable_by_others(tmp_path):
    path = tmp_path / "x"
    before = os.umask(0o022)
    try:
        write_atomic(path, "“no”")
    finally:
        os.umask(before)
    assert path.read_bytes() == "“no”".encode()
    assert path.stat().st_mode & 0o777 == 0o644


def test_failure_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()  # a file cannot be moved over a folder
    with pytest.raises(NegjaxError, match=f"cannot write {path}: .+"):
        write_atomic(path, "x")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
