"""Sizes and checksums of the files of a folder, so that damage is found before a file is used.

FOLDER/checksums.json: path below the folder -> [bytes, CRC-32].
"""

import json
import zlib
from collections.abc import Mapping

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.files import write_atomic

CHECKSUMS_FILE = "checksums.json"
BLOCK_BYTES = 1 << 22  # read at a time


def write_checksums(folder: epath.Path) -> None:
    """Writes FOLDER/checksums.json: path below the folder -> [bytes, CRC-32], of all files in its subfolders."""
    subfolders = [path for path in folder.iterdir() if path.is_dir()]
    files = sorted(path for subfolder in subfolders for path in _list_files(subfolder))
    checksums = {path.relative_to(folder).as_posix(): [path.stat().length, file_crc32(path)] for path in files}
    (folder / CHECKSUMS_FILE).write_text(json.dumps(checksums, indent=1))


def write_with_checksums(folder: epath.Path, files: Mapping[str, str]) -> None:
    """Writes text files and their checksums, each atomically; the last file comes last, after the checksums.

    Args:
        folder: the folder.
        files: path below the folder -> content.

    Raises:
        NegjaxError: a file cannot be written.
    """
    contents = {name: text.encode() for name, text in files.items()}
    checksums = {name: [len(content), zlib.crc32(content)] for name, content in contents.items()}
    *first, last = contents
    for name in first:
        write_atomic(folder / name, contents[name])
    write_atomic(folder / CHECKSUMS_FILE, json.dumps(checksums, indent=1) + "\n")
    write_atomic(folder / last, contents[last])


def read_verified(folder: epath.Path, name: str) -> str:
    """Reads a text file that `write_with_checksums` wrote, and compares it with its checksum.

    A folder without checksums.json is read as it is: one of an earlier version, or one whose files were edited.

    Raises:
        NegjaxError: the file differs from its checksum, is not in checksums.json, or is not UTF-8.
        OSError: it cannot be read.
    """
    content, path = (folder / name).read_bytes(), folder / CHECKSUMS_FILE
    if path.exists():
        try:
            expected = json.loads(path.read_bytes()).get(name)
        except (ValueError, AttributeError) as error:
            raise NegjaxError(f"{path} is damaged: copy the folder again, or remove this file") from error
        if expected != [len(content), zlib.crc32(content)]:
            raise NegjaxError(
                f"{folder / name} differs from {path}: it was damaged or edited; copy it again, or, if you edited it, "
                f"remove {CHECKSUMS_FILE}"
            )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{folder / name} is damaged ({error}): copy it again") from error


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
