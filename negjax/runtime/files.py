"""Files that are whole or not there at all, and folders that one process has for itself."""

import fcntl
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etils import epath

from negjax.errors import NegjaxError

SECONDS_BETWEEN_TRIES = 1.0

logger = logging.getLogger(__name__)


@contextmanager
def new_file(path: epath.PathLike) -> Iterator[IO[bytes]]:
    """A file to write to under a temporary name beside `path`, to which it is moved at the end; makes missing folders.

    In a store, which has no moves but shows a file only once it is whole, it is a local one that is copied at the end.
    After an error nothing of it stays. What stood at `path` before stays until then. Raises NegjaxError when it cannot
    be written.
    """
    target = epath.Path(path)
    try:
        if is_local(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.tmp"
            try:
                with temporary.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        else:
            with tempfile.TemporaryFile() as file:
                yield file
                file.seek(0)
                with target.open("wb") as there:
                    shutil.copyfileobj(file, there, 1 << 22)
    except OSError as error:
        raise NegjaxError(f"cannot write {target}: {error.strerror or error}") from error


def write_atomic(path: epath.PathLike, data: str | bytes) -> None:
    """Writes `data` (text as UTF-8) as `new_file` does."""
    with new_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def alone(folder: epath.PathLike, otherwise: str, seconds: float = 0) -> Iterator[None]:
    """Within, no other process is here, by a lock that ends with the process, however it ends; in a store, by none.

    seconds: how long to wait until the folder is free. Raises NegjaxError with what `otherwise` says when it is not.
    """
    if not is_local(folder):
        yield
        return
    try:
        lock = (Path(folder) / "lock").open("wb")
    except OSError as error:
        raise NegjaxError(f"cannot write {folder}/lock: {error.strerror}") from error
    with lock:
        until, free = time.monotonic() + seconds, _locked(lock)
        if seconds and not free:
            logger.warning("%s: waiting %d seconds at most", otherwise, seconds)
        while not free and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SECONDS_BETWEEN_TRIES))
            free = _locked(lock)
        if not free:
            raise NegjaxError(otherwise)
        yield


def _locked(file: IO[bytes]) -> bool:
    """Whether the file is locked now, for this process; also where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def copy_folder(source: Path, target: epath.PathLike) -> None:
    """Copies all files below a local folder to another place, each as `new_file` does."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            write_atomic(epath.Path(target) / path.relative_to(source).as_posix(), path.read_bytes())


def check_writable(folder: epath.PathLike) -> None:
    """Raises NegjaxError when a local folder cannot be made or written to; makes nothing.

    For long work whose results come at the end.
    """
    if not is_local(folder):
        return
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        reason = "may not be written to" if place.is_dir() else "is not a folder"
        raise NegjaxError(f"cannot write to {folder}: {place} {reason}")


def is_local(path: epath.PathLike) -> bool:
    """Whether a path is on this machine's file system, not in a store such as gs://."""
    return "://" not in str(epath.Path(path))
