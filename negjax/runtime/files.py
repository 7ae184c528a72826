"""Files that are whole or not there at all."""

import os
import uuid

from etils import epath

from negjax.errors import NegjaxError


def write_atomic(path: epath.PathLike, data: str | bytes) -> None:
    """Writes `data` (text as UTF-8) to a temporary file beside `path`, then moves it; makes missing folders.

    What stood at `path` before stays until then. Raises NegjaxError when it cannot be written.
    """
    target = epath.Path(path)
    content = data.encode() if isinstance(data, str) else data
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                if is_local(target):
                    os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise NegjaxError(f"cannot write {target}: {error.strerror or error}") from error


def is_local(path: epath.PathLike) -> bool:
    """Whether a path is on this machine's file system, not in a store such as gs://."""
    return "://" not in str(epath.Path(path))
