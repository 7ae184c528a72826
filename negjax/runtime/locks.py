"""Locks on folders that only one process may use at a time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etils import epath
from filelock import BaseFileLock, FileLock, Timeout

from negjax.errors import NegjaxError
from negjax.runtime.paths import is_local

LOCK_FILE = "lock"
POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)


@contextmanager
def lock_folder(folder: epath.PathLike, message: str, timeout: float = 0) -> Iterator[None]:
    """Keeps other processes out of a folder while the block runs, by a lock on FOLDER/lock.

    The operating system releases the lock when the process ends, however it ends. Folders in a store (gs://) and on
    file systems without locks are not locked.

    Args:
        folder: an existing folder.
        message: the error, and the start of the line that is logged before waiting, when the folder is in use.
        timeout: seconds to wait until the folder is free.

    Raises:
        NegjaxError: the folder is still in use after `timeout`, or FOLDER/lock cannot be written.
    """
    if not is_local(folder):
        yield
        return
    path = Path(folder) / LOCK_FILE
    try:
        path.open("ab").close()
    except OSError as error:
        raise NegjaxError(f"cannot write {path}: {error.strerror}") from error
    # A soft lock, a file that exists while it is held, would outlive a process that is killed.
    lock = FileLock(path, fallback_to_soft=False, poll_interval=POLL_SECONDS)
    try:
        _acquire(lock, message, timeout)
    except Timeout as error:
        raise NegjaxError(message) from error
    except OSError as error:  # the file can be written, so it is the file system that has no locks
        logger.debug("%s is not locked: %s", path, error)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, message: str, timeout: float) -> None:
    """Acquires the lock, at once or within `timeout` seconds, after a line that says so. Raises filelock's Timeout."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not timeout:
            raise
        logger.warning("%s: waiting up to %d seconds", message, timeout)
        lock.acquire(timeout=timeout)
