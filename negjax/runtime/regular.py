"""Files that users name are read only if they are regular: a pipe would wait for ever, a device never ends."""

import stat

from etils import epath

from negjax.errors import NegjaxError
from negjax.runtime.paths import is_local, to_path

MAX_FILE_BYTES = 1 << 30  # of a file that is read into memory as a whole


def check_regular(path: epath.PathLike, most: int | None = None) -> epath.Path:
    """Checks a file before it is opened.

    Args:
        path: as a user gives it; of a file in a store only the size is checked.
        most: largest size in bytes.

    Returns:
        The path.

    Raises:
        NegjaxError: it does not exist, is a folder, a pipe or a device, or is larger.
    """
    file = to_path(path)
    try:
        status = file.stat()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise NegjaxError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if status.is_directory:
        raise NegjaxError(f"cannot read {path}: it is a folder, not a file")
    if is_local(file) and not stat.S_ISREG(status.mode or 0):
        raise NegjaxError(f"cannot read {path}: it is a pipe or a device, not a file: copy its content into a file")
    if most is not None and status.length > most:
        raise NegjaxError(f"cannot read {path}: it has {status.length:,} bytes, more than {most:,}")
    return file


def read_regular(path: epath.PathLike, most: int = MAX_FILE_BYTES) -> bytes:
    """Reads a file as a whole; see `check_regular` for arguments and errors."""
    file = check_regular(path, most)
    try:
        return file.read_bytes()
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
