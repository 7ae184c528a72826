"""Which paths are supported: local ones and gs://. A path that a user gives goes through `to_path`."""

import importlib.util
import os
import re

from etils import epath

from negjax.errors import NegjaxError

STORE = "gs"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)")  # pathlib makes one slash of two
_MOUNT = "mount the bucket as a folder, or use gs://"
_REMEDIES = {
    "file": "give the path alone, without file://",
    "http": "download it, and give the path of the file",
    "https": "download it, and give the path of the file",
    "hf": "write hf-hub:ORG/NAME for a model, or download it",
    "s3": _MOUNT,
    "az": _MOUNT,
}


def check_path(path: epath.PathLike, name: str = "") -> None:
    """Checks that a path is local or in a supported store.

    Args:
        path: as a user gives it.
        name: of the flag or setting that gives it, for the error.

    Raises:
        NegjaxError: the path has another scheme, such as s3:// or https://.
    """
    text = os.fspath(path)
    where = f"{name} {text}" if name else text
    if match := _SCHEME.match(text):
        scheme, second_slash = match.groups()
        if scheme != STORE:
            remedy = _REMEDIES.get(scheme.lower(), "give a local path, or one in gs://")
            raise NegjaxError(f"{where}: {scheme}:// is not supported: {remedy}")
        if not second_slash:
            raise NegjaxError(f"{where}: write it as gs://{text.removeprefix('gs:/')}")


def to_path(path: epath.PathLike, name: str = "") -> epath.Path:
    """Returns a path on this machine's file systems or in a store.

    Args:
        path: as a user gives it; ~ stands for the home folder.
        name: of the flag or setting that gives it, for the error.

    Raises:
        NegjaxError: as `check_path`, or the library that opens gs:// is not installed.
    """
    check_path(path, name)
    if not is_local(path):
        _check_store_library()
    return epath.Path(expand_home(os.fspath(path)))


def expand_home(path: str) -> str:
    """The path with the home folder in place of ~ at its start."""
    return os.path.expanduser(path) if path == "~" or path.startswith("~/") else path  # noqa: PTH111, keeps a last slash


def is_local(path: epath.PathLike) -> bool:
    """Whether a path is on this machine's file systems, not in a store such as gs://."""
    return "://" not in os.fspath(path)


def to_local_path(path: epath.PathLike, name: str = "") -> epath.Path:
    """Returns a path as `to_path` does; raises NegjaxError for one in a store, too."""
    if not is_local(local := to_path(path, name)):
        raise NegjaxError(f"{name} {local}: it must be a local path".lstrip())
    return local


def _check_store_library() -> None:
    """Raises NegjaxError unless epath can open gs://: through TensorFlow where it is installed, else through gcsfs."""
    if importlib.util.find_spec("tensorflow") is not None:
        return
    import fsspec

    try:
        fsspec.get_filesystem_class("gcs")  # by this name epath knows gs://
    except ImportError as error:
        raise NegjaxError('gs:// needs gcsfs, which is not installed: pip install "negjax[gcs]"') from error
