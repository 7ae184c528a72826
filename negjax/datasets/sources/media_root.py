"""Finding images and clips whose paths were written on another machine."""

import functools
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from negjax.datasets.sources.rows import MediaFile
from negjax.datasets.sources.tars import members_by_name
from negjax.errors import NegjaxError


class MediaRoot:
    """A folder in which files are found by the longest suffix of their published path that exists below it.

    "/mnt/coco/1.jpg" is ROOT/mnt/coco/1.jpg, or else ROOT/coco/1.jpg, or else ROOT/1.jpg. A suffix with ".."
    in it is never followed, so no path leads out of the folder, unless through a link in it. A folder may also be
    packed as a tar file of its name: "00000/000000012.jpg" is then in ROOT/00000.tar, as img2dataset writes it.
    """

    def __init__(self, root: epath.PathLike):
        """Raises NegjaxError if there is no such folder."""
        self.root = epath.Path(root)
        if not self.root.is_dir():
            raise NegjaxError(f"folder {root} not found: give the folder that holds the images as --media-root")
        self._has_folder = functools.cache(lambda parts: self.root.joinpath(*parts).is_dir())
        self._has_tar = functools.cache(lambda parts: _tar_path(self.root, parts).is_file())

    def __reduce__(self) -> Any:
        """Pickles the path without the caches, so that another process can find files in the folder."""
        return type(self), (str(self.root),)

    def find(self, path: str) -> MediaFile | None:
        """The file, or None if no suffix of the path exists. Backslashes count as slashes.

        Letters with accents are found however they are written, composed (NFC) or decomposed (NFD).
        """
        if "\0" in path:
            return None
        return next((file for spelling in _spellings(path) if (file := self._find(spelling))), None)

    def _find(self, path: str) -> MediaFile | None:
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        while ".." in parts:
            parts = parts[parts.index("..") + 1 :]
        for start in range(len(parts)):
            if self._has_folder(tuple(parts[start:-1])):
                file = self.root.joinpath(*parts[start:])
                if file.is_file():
                    return file
        for start in range(len(parts) - 1):
            folder = tuple(parts[start:-1])
            if self._has_tar(folder):
                return members_by_name(str(_tar_path(self.root, folder))).get(parts[-1])
        return None


def plain_path(path: str) -> str:
    """A path without differences in spelling: "/a/b.jpg", "./a//b.jpg" and "a\\b.jpg" are "a/b.jpg", in NFC."""
    slashes = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return posixpath.normpath(slashes.lstrip("/"))


def _spellings(path: str) -> Iterator[str]:
    """The spellings of a path that may be on a disk."""
    slashes = path.replace("\\", "/")
    yield slashes
    if not slashes.isascii():
        yield from {unicodedata.normalize(form, slashes) for form in ("NFC", "NFD")} - {slashes}


def _tar_path(root: epath.Path, folder: Sequence[str]) -> epath.Path:
    """The tar file that a folder may be packed as."""
    return root.joinpath(*folder[:-1], f"{folder[-1]}.tar")
