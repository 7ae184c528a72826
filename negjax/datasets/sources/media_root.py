"""Finding files whose paths were written on another machine."""

import functools
from collections.abc import Sequence
from pathlib import PurePosixPath

from etils import epath

from negjax.datasets.sources import tars
from negjax.datasets.sources.rows import MediaFile
from negjax.errors import NegjaxError


class MediaRoot:
    """A folder in which files are found by the longest suffix of their published path that exists below it.

    "/mnt/coco/1.jpg" is ROOT/mnt/coco/1.jpg, or else ROOT/coco/1.jpg, or else ROOT/1.jpg. A suffix with ".."
    in it is never followed, so no path leads out of the folder, unless through a link in it. A folder may also be
    packed as a tar file of its name: "00000/000000012.jpg" is then in ROOT/00000.tar, as img2dataset writes it.
    """

    def __init__(self, root: epath.PathLike):
        """Raises NegjaxError when there is no such folder."""
        self.root = epath.Path(root)
        if not self.root.is_dir():
            raise NegjaxError(f"no folder {root}: give the folder that holds the images as --media-root")
        self._has_folder = functools.cache(lambda parts: self.root.joinpath(*parts).is_dir())
        self._has_tar = functools.cache(lambda parts: _tar(self.root, parts).is_file())

    def find(self, path: str) -> MediaFile | None:
        """The file, or None when no suffix of the path exists. Backslashes count as slashes."""
        if "\0" in path:
            return None
        parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part != "/"]
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
                return tars.index(str(_tar(self.root, folder))).get(parts[-1])
        return None


def _tar(root: epath.Path, folder: Sequence[str]) -> epath.Path:
    return root.joinpath(*folder[:-1], f"{folder[-1]}.tar")
