"""The images and clips below a folder, and reading one of them without following links out of it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from negjax.errors import NegjaxError
from negjax.media.thumbnails import picture_of
from negjax.runtime.regular import MAX_FILE_BYTES

# By their ending alone: what does not decode is listed as broken, with the reason.
PICTURE_SUFFIXES = (
    ".avif", ".bmp", ".dib", ".gif", ".jp2", ".jpeg", ".jpg", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi",
    ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
_SUFFIXES = PICTURE_SUFFIXES + CLIP_SUFFIXES


class FoundFile(NamedTuple):  # made, compared and looked up by the hundred thousand
    """A file and the state in which it was found.

    Attributes:
        path: below the folder, with slashes.
        size: in bytes.
        mtime_ns: when it was last modified.
    """

    path: str
    size: int
    mtime_ns: int

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip; else it is an image."""
        return self.path.lower().endswith(CLIP_SUFFIXES)


@dataclass(frozen=True)
class FoundFiles:
    """What lies below a folder.

    Attributes:
        files: images and clips, sorted by path.
        links: number of symbolic links, which are not followed.
        unnamed: number of images and clips whose path is not UTF-8.
    """

    files: list[FoundFile]
    links: int
    unnamed: int


def find_files(folder: Path) -> FoundFiles:
    """Finds images and clips below a folder: regular files whose name has a known ending and begins with no dot.

    Args:
        folder: any folder.

    Raises:
        NegjaxError: a folder cannot be read.
    """
    files, links, unnamed = [], 0, 0
    for entry, path in _walk(folder):
        if entry.is_symlink():
            links += 1
        elif path.lower().endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False):
            try:
                path.encode()
            except UnicodeEncodeError:
                unnamed += 1
                continue
            status = entry.stat(follow_symlinks=False)
            files.append(FoundFile(path, status.st_size, status.st_mtime_ns))
    return FoundFiles(sorted(files), links, unnamed)


def _walk(folder: Path) -> Iterator[tuple[os.DirEntry, str]]:
    """All entries that are no folders, with their path below the folder."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{below}/{entry.name}" if below else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        yield entry, path
        except OSError as error:
            raise NegjaxError(f"cannot read {folder / below}: {error.strerror}") from error


def read_below(folder: Path, path: str, most: int = MAX_FILE_BYTES) -> bytes:
    """Reads a file below a folder; no part of the path may be a link or lead upwards, whatever changed meanwhile.

    Args:
        folder: the folder.
        path: below it, with slashes.
        most: largest size in bytes.

    Raises:
        NegjaxError: it cannot be read, is no regular file below the folder, or is larger.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        raise NegjaxError(f"cannot read {path!r}: it is no file below {folder}")
    try:
        # Each folder is opened from the one above it, so that nothing can be exchanged for a link in between.
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = inner
            number = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        finally:
            os.close(place)
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise NegjaxError(f"cannot read {path}: it is no regular file")
            if status.st_size > most:
                raise NegjaxError(f"cannot read {path}: it has {status.st_size:,} bytes, more than {most:,}")
            return file.read()
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror}") from error


def file_picture(folder: Path, path: str) -> Image.Image:
    """What people are shown of a file below a folder: an RGB image, upright. Raises NegjaxError as `read_below`."""
    return picture_of(read_below(folder, path), path, is_clip=path.lower().endswith(CLIP_SUFFIXES), upright=True)
