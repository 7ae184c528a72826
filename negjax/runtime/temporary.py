"""Temporary files and folders beside what they are to become, and the removal of those that killed processes left.

A temporary is locked as long as its process lives, however that ends; one that nobody has locked is abandoned.
"""

import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from etils import epath

from negjax.runtime.paths import is_local

TEMPORARY_NAME = ".{name}.{token}.tmp"
SECONDS_OF_LATE_WRITERS = 2  # at most, that threads of a library write on after it has raised an error
_current: set[epath.Path] = set()  # of this process


@contextmanager
def temporary_beside(
    target: epath.Path, *, folder: bool = False, pattern: str = TEMPORARY_NAME
) -> Iterator[epath.Path]:
    """A new temporary file or folder beside `target`, which the block is to move to its place.

    Removed at the end of the block if it is still there; if that fails it is abandoned. The abandoned ones of the same
    target and pattern are removed first, except in a store and on file systems without locks.

    Args:
        target: the path that is written; missing folders above it are created.
        folder: make a folder, not a file.
        pattern: of the temporary's name, with {name} of the target and {token}, eight random hexadecimal digits.

    Yields:
        The path of the empty file or folder.

    Raises:
        OSError: it cannot be created.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target.parent, _names_of(target, pattern))
    temporary, lock = _create(target, pattern, folder)
    _current.add(temporary)
    try:
        yield temporary
    finally:
        _remove_for_good(temporary)
        _current.discard(temporary)
        if lock is not None:
            os.close(lock)


def remove_current() -> None:
    """Removes what this process has not moved yet. To be called before it ends at once."""
    for path in tuple(_current):
        with suppress(OSError):
            _remove(path)


def _create(target: epath.Path, pattern: str, folder: bool) -> tuple[epath.Path, int | None]:
    """A new temporary and the file descriptor that locks it; None in a store."""
    while True:
        temporary = target.parent / pattern.format(name=target.name, token=uuid.uuid4().hex[:8])
        if folder:
            temporary.mkdir()
        if not is_local(temporary):
            return temporary, None
        lock = os.open(temporary, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was locked
            if os.path.samestat(Path(temporary).stat(), os.fstat(lock)):
                return temporary, lock
        os.close(lock)


def remove_abandoned(folder: epath.Path, names: str, idle_seconds: float = 0) -> None:
    """Removes what killed processes left in a local folder; leaves what is locked, or cannot be locked or removed.

    Args:
        folder: where temporaries were made.
        names: a regular expression for the whole of their names.
        idle_seconds: leave what changed since then, for names that earlier versions made without a lock.
    """
    if not is_local(folder) or not folder.is_dir():
        return
    for path in folder.iterdir():
        if re.fullmatch(names, path.name):
            with suppress(OSError), _locked(path):
                if not idle_seconds or time.time() - _last_change(Path(path)) >= idle_seconds:
                    _remove(path)


def _names_of(target: epath.Path, pattern: str) -> str:
    """The regular expression for the temporaries of a target."""
    return re.escape(pattern).replace(r"\{name\}", re.escape(target.name)).replace(r"\{token\}", "[0-9a-f]{8}")


def _last_change(path: Path) -> float:
    """The time at which a file, or a folder or something in it, last changed."""
    return max(inner.lstat().st_mtime for inner in (path, *path.rglob("*")))


@contextmanager
def _locked(path: epath.Path) -> Iterator[None]:
    """Locks a file or folder; raises OSError if another process has, or the file system has no locks."""
    lock = os.open(path, os.O_NOFOLLOW | (os.O_RDONLY if path.is_dir() else os.O_RDWR))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _remove_for_good(path: epath.Path) -> None:
    """Removes a file or folder in which threads may still be writing; leaves it where that stays impossible."""
    end = time.monotonic() + SECONDS_OF_LATE_WRITERS
    while True:
        try:
            return _remove(path)
        except OSError:  # must not take the place of the error that ended the block
            if time.monotonic() > end:
                return None
            time.sleep(0.05)


def _remove(path: epath.Path) -> None:
    """Removes a file or folder, if it exists."""
    if path.is_dir():
        path.rmtree()
    elif path.exists():
        path.unlink()
