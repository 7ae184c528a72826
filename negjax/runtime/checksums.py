"""Sizes and checksums of the files of a folder, so that damage is found before a file is used."""

import json
import zlib

from etils import epath

CHECKSUMS_FILE = "checksums.json"
BLOCK_BYTES = 1 << 22  # read at a time


def write_checksums(folder: epath.Path) -> None:
    """Writes FOLDER/checksums.json: path below the folder -> [bytes, CRC-32], of all files in its subfolders."""
    subfolders = [path for path in folder.iterdir() if path.is_dir()]
    files = sorted(path for subfolder in subfolders for path in _list_files(subfolder))
    checksums = {path.relative_to(folder).as_posix(): [path.stat().length, file_crc32(path)] for path in files}
    (folder / CHECKSUMS_FILE).write_text(json.dumps(checksums, indent=1))


def find_damage(folder: epath.Path, subfolder: str) -> str | None:
    """Compares the files of a subfolder with FOLDER/checksums.json.

    Returns:
        The first difference in a few words, None if there is none.
    """
    try:
        checksums = json.loads((folder / CHECKSUMS_FILE).read_text())
        files = [(name, *expected) for name, expected in checksums.items() if name.startswith(f"{subfolder}/")]
    except FileNotFoundError:
        return f"{CHECKSUMS_FILE} is missing"
    except (ValueError, AttributeError, TypeError):
        return f"{CHECKSUMS_FILE} cannot be read"
    if not files:
        return f"{subfolder} is missing"
    for name, size, crc in files:
        path = folder / name
        if not path.exists():
            return f"{name} is missing"
        if path.stat().length != size:
            return f"{name} has {path.stat().length} bytes instead of {size}"
        if file_crc32(path) != crc:
            return f"the content of {name} was altered"
    return None


def _list_files(folder: epath.Path) -> list[epath.Path]:
    """All files below a folder."""
    files = []
    for path in folder.iterdir():
        files += _list_files(path) if path.is_dir() else [path]
    return files


def file_crc32(path: epath.Path) -> int:
    """The CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc
