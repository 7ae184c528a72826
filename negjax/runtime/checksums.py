"""Sizes and checksums of a folder's files, so that damage is known before anything is used."""

import json
import zlib

from etils import epath

NAME = "checksums.json"


def write(folder: epath.Path) -> None:
    """Writes FOLDER/checksums.json: path below the folder -> [bytes, crc32] of all files in subfolders."""
    subfolders = [path for path in folder.iterdir() if path.is_dir()]
    files = sorted(path for subfolder in subfolders for path in _files(subfolder))
    sums = {path.relative_to(folder).as_posix(): [path.stat().length, _crc(path)] for path in files}
    (folder / NAME).write_text(json.dumps(sums, indent=1))


def problem(folder: epath.Path, subfolder: str) -> str | None:
    """What is wrong with the files of a subfolder, in a few words; None when all are as they were written."""
    try:
        sums = json.loads((folder / NAME).read_text())
        files = [(name, *expected) for name, expected in sums.items() if name.startswith(f"{subfolder}/")]
    except FileNotFoundError:
        return f"{NAME} is missing"
    except (ValueError, AttributeError, TypeError):
        return f"{NAME} cannot be read"
    if not files:
        return f"{subfolder} is missing"
    for name, size, crc in files:
        path = folder / name
        if not path.exists():
            return f"{name} is missing"
        if path.stat().length != size:
            return f"{name} has {path.stat().length} bytes instead of {size}"
        if _crc(path) != crc:
            return f"the content of {name} was altered"
    return None


def _files(folder: epath.Path) -> list[epath.Path]:
    found = []
    for path in folder.iterdir():
        found += _files(path) if path.is_dir() else [path]
    return found


def _crc(path: epath.Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            crc = zlib.crc32(block, crc)
    return crc
