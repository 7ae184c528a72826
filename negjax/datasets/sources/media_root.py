"""Finding images and clips whose paths were written on another machine."""

import functools
import posixpath
import unicodedata
from collections.abc import Callable
from operator import methodcaller
from pathlib import PurePosixPath
from typing import Any

from etils import epath

from negjax.datasets.sources.rows import MediaFile
from negjax.datasets.sources.tars import members_by_name
from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path

IS_FILE, IS_FOLDER = methodcaller("is_file"), methodcaller("is_dir")


class MediaRoot:
    """A folder in which files are found by the longest suffix of their published path that exists below it.

    "/mnt/coco/1.jpg" is ROOT/mnt/coco/1.jpg, or else ROOT/coco/1.jpg, or else ROOT/1.jpg. A suffix with ".."
    in it is never followed, so no path leads out of the folder, unless through a link in it. A folder may also be
    packed as a tar file of its name: "00000/000000012.jpg" is then in ROOT/00000.tar, as img2dataset writes it. The
    picture of row 12 of ROOT/train.parquet is "train/12", see `pictures`.
    """

    def __init__(self, root: epath.PathLike):
        """Raises NegjaxError if there is no such folder."""
        self.root = to_path(root, "--media-root")
        if self.root.is_file():
            raise NegjaxError(f"--media-root {root} is a file: unpack it, and give the folder that holds the images")
        if not self.root.is_dir():
            raise NegjaxError(f"folder {root} not found: give the folder that holds the images as --media-root")
        self._folder = functools.cache(self._find_folder)
        self._packed = functools.cache(self._find_packed)
        self._accented = functools.cache(_accented_names)

    def __reduce__(self) -> Any:
        """Pickles the path without the caches, so that another process can find files in the folder."""
        return type(self), (str(self.root),)

    def find(self, path: str) -> MediaFile | None:
        """The file, or None if no suffix of the path exists. Backslashes count as slashes.

        Letters with accents are found however the path and the disk write them, composed (NFC) or decomposed (NFD).
        """
        if "\0" in path:
            return None
        parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part != "/"]
        while ".." in parts:
            parts = parts[parts.index("..") + 1 :]
        for start in range(len(parts)):
            folder = self._folder(tuple(parts[start:-1]))
            if folder and (file := self._child(folder, parts[-1], IS_FILE)):
                return file
        for start in range(len(parts) - 1):
            if tar := self._packed(tuple(parts[start:-1]), ".tar"):
                members = members_by_name(str(tar))
                return members.get(parts[-1]) or members.get(unicodedata.normalize("NFC", parts[-1]))
        return self._find_picture(parts)

    def _find_picture(self, parts: list[str]) -> MediaFile | None:
        """The picture of a row of a Parquet file, "STEM/ROW" or "STEM/ROW/NAME"; None if there is none."""
        for at in range(max(len(parts) - 2, 1), len(parts)):
            for start in range(at if parts[at].isdecimal() else 0):
                if parquet := self._packed(tuple(parts[start:at]), ".parquet"):
                    from negjax.datasets.sources.pictures import find_picture

                    return find_picture(str(parquet), int(parts[at]))
        return None

    def _find_folder(self, parts: tuple[str, ...]) -> epath.Path | None:
        """The folder with this path below the root, None if there is none."""
        if not parts:
            return self.root
        parent = self._folder(parts[:-1])
        return self._child(parent, parts[-1], IS_FOLDER) if parent else None

    def _find_packed(self, parts: tuple[str, ...], suffix: str) -> epath.Path | None:
        """The file that the folder with this path may be packed as, None if there is none."""
        parent = self._folder(parts[:-1])
        return self._child(parent, f"{parts[-1]}{suffix}", IS_FILE) if parent else None

    def _child(self, folder: epath.Path, name: str, exists: Callable[[epath.Path], bool]) -> epath.Path | None:
        """The file or folder of this name, in any spelling, that exists in a folder."""
        if exists(folder / name):
            return folder / name
        if name.isascii():
            return None
        composed = unicodedata.normalize("NFC", name)
        spellings = (folder / spelling for spelling in (composed, self._accented(folder).get(composed)) if spelling)
        return next(filter(exists, spellings), None)


def _accented_names(folder: epath.Path) -> dict[str, str]:
    """The names in a folder that are not ASCII, by their composed form; none of a folder that cannot be listed."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return {}
    return {unicodedata.normalize("NFC", name): name for name in names if not name.isascii()}


def plain_path(path: str) -> str:
    """A path without differences in spelling: "/a/b.jpg", "./a//b.jpg" and "a\\b.jpg" are "a/b.jpg", in NFC."""
    slashes = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return posixpath.normpath(slashes.lstrip("/"))
