"""Checks how the paths of a source were found below the media root: no two images may become one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.rows import MediaFile, RowRef
from negjax.errors import NegjaxError


@dataclass
class MediaMatches:
    """The files that the paths of a source were found as.

    Attributes:
        source: Name of the source in errors.
        media_root: The folder in which they were found.
        first: File -> the first row that was found as this file.
        dropped: The folders at the start of a path that its file is found without, "a/b" -> the number of such files
            and a description of the first.
        needed: The values of `dropped` of files that are in further folders of their paths.
    """

    source: str
    media_root: str
    first: dict[str, RowRef] = field(default_factory=dict)
    dropped: dict[str, tuple[int, str]] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)

    def add(self, row: RowRef, media: MediaFile) -> None:
        """Adds the file of a row; raises NegjaxError if it is the file of another path already."""
        file = str(media)
        other = self.first.setdefault(file, row)
        if plain_path(other.path) != plain_path(row.path):
            raise meeting(self.source, other, row, file)
        if other is row:
            folders = PurePosixPath(plain_path(row.path)).parts[:-1]
            below = PurePosixPath(file).parts[len(PurePosixPath(self.media_root).parts) :]
            depth = next((end for end, part in enumerate(below, 1) if part.endswith(".tar")), len(below) - 1)
            start = folders[: max(len(folders) - depth, 0)]
            root = PurePosixPath(self.media_root).name
            prefix = "/".join(start[:-1] if start and start[-1] == root else start)
            count, example = self.dropped.get(prefix, (0, f"row {row.row}: {row.path} is {file}"))
            self.dropped[prefix] = count + 1, example
            if len(folders) > len(start):
                self.needed.add(prefix)

    def notes(self) -> list[str]:
        """A remark for the user on files that are found without folders which other files are in."""
        return notes_on_dropped_folders(self.dropped, self.needed)


def meeting(source: str, first: RowRef, second: RowRef, file: str) -> NegjaxError:
    """The error for two paths of a source that are found as one file."""
    return NegjaxError(
        f"{source}: row {first.row} ({first.path}) and row {second.row} ({second.path}) name two files, but both are "
        f"found as {file}: give as --media-root the folder in which the two paths, or longer ends of them, exist"
    )


def notes_on_dropped_folders(dropped: Mapping[str, tuple[int, str]], needed: set[str]) -> list[str]:
    """See `MediaMatches.notes`."""

    def exceeds(prefix: str) -> bool:
        """Whether files are in a folder that this prefix, which is left out of the path, ends with."""
        parts = prefix.split("/") if prefix else []
        return any("/".join(parts[:end]) in needed for end in range(len(parts)))

    doubtful = [found for prefix, found in dropped.items() if exceeds(prefix)]
    if not doubtful:
        return []
    return [
        f"{sum(count for count, _ in doubtful):,} files are found only without folders of their paths, which others "
        f"are in (the first is {doubtful[0][1]}): check that these are the right files"
    ]
