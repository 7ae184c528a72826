"""Files that are written atomically, on a local disk or in a store, and checks of paths."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.paths import is_local, to_path
from negjax.runtime.temporary import temporary_beside

COPY_BYTES = 1 << 22  # size of the blocks in which files are copied to a store


@contextmanager
def open_atomic(path: epath.PathLike) -> Iterator[IO[bytes]]:
    """Opens a file for writing that appears at `path` only when the block ends without an error.

    On a local disk the file is written under a temporary name in the same folder, which is created if it is missing,
    and then moved; what a killed process left of the file is removed. A store has no moves, but shows a file only when
    it is complete: there a local file is copied at the end. Until then, and after an error, `path` keeps its former
    content.

    Args:
        path: the file, local or in a store.

    Raises:
        NegjaxError: the file cannot be written.
    """
    target = to_path(path)
    try:
        if is_local(target):
            with temporary_beside(target) as temporary:
                with temporary.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
        else:
            with tempfile.TemporaryFile() as file:
                yield file
                file.seek(0)
                with target.open("wb") as target_file:
                    shutil.copyfileobj(file, target_file, COPY_BYTES)
    except OSError as error:
        raise NegjaxError(f"cannot write {target}: {error.strerror or error}") from error


def write_atomic(path: epath.PathLike, data: str | bytes) -> None:
    """Writes a file as `open_atomic` does.

    Args:
        path: the file, local or in a store.
        data: its content; text is encoded as UTF-8.

    Raises:
        NegjaxError: the file cannot be written.
    """
    with open_atomic(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def copy_folder(source: Path, target: epath.PathLike) -> None:
    """Copies all files below a local folder to another folder, each atomically.

    Args:
        source: a local folder.
        target: a folder, local or in a store.

    Raises:
        NegjaxError: a file cannot be written.
    """
    for path in sorted(source.rglob("*")):
        if path.is_file():
            write_atomic(to_path(target) / path.relative_to(source).as_posix(), path.read_bytes())


def check_writable(folder: epath.PathLike) -> None:
    """Checks that a local folder exists or can be created, and can be written to. Creates nothing.

    For long work whose results are written at its end.

    Args:
        folder: any path; one in a store is not checked.

    Raises:
        NegjaxError: the folder cannot be created or written to.
    """
    if not is_local(to_path(folder)):
        return
    existing = Path(folder).absolute()
    while not existing.exists():
        if existing.is_symlink():
            raise NegjaxError(
                f"cannot write to {folder}: {existing} is a link to {existing.readlink()}, which is missing"
            )
        existing = existing.parent
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        reason = "is not writable" if existing.is_dir() else "is not a folder"
        raise NegjaxError(f"cannot write to {folder}: {existing} {reason}")
