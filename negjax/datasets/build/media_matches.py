"""The files that the paths of a source are found as below the media root: no two images may become one file."""

from dataclasses import dataclass, field

from negjax.datasets.build.dropped_folders import DroppedFolders
from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.rows import MediaFile, Row, RowRef
from negjax.errors import NegjaxError


class AmbiguousMatch(NegjaxError):
    """Two paths of a source are found as one file."""


@dataclass(slots=True)
class MatchedFile:
    """A file that a path is found as.

    Attributes:
        row: The first row whose path it is.
        dropped: The folders of the path that it is found without, see `DroppedFolders`.
        copies: Number of records that store it whole.
        bytes: The size of each.
    """

    row: RowRef
    dropped: str
    copies: int = 0
    bytes: int = 0


@dataclass
class MediaMatches:
    """The files of a source, or of a shard of it. Images and clips that the source itself contains are left out.

    Attributes:
        source: Name of the source in errors.
        media_root: The folder in which the files are found.
        files: The files by name.
        dropped: The folders of paths that they are found without.
    """

    source: str
    media_root: str
    files: dict[str, MatchedFile] = field(default_factory=dict)
    dropped: DroppedFolders = field(default_factory=DroppedFolders)

    def add(self, row: Row, media: MediaFile) -> None:
        """Adds the file of a row; raises AmbiguousMatch if it is the file of another path already."""
        if row.media is not None:
            return
        name = str(media)
        known = self.files.get(name)
        if known is None:
            self.files[name] = MatchedFile(row.ref, self.dropped.add(row.ref, name, self.media_root))
        elif known.row.path != row.path and plain_path(known.row.path) != plain_path(row.path):
            raise ambiguous_match(self.source, known.row, row.ref, name)

    def add_copy(self, media: MediaFile, size: int) -> None:
        """Counts a record that stores a file whole. size: in bytes."""
        if known := self.files.get(str(media)):
            known.copies, known.bytes = known.copies + 1, size


def ambiguous_match(source: str, first: RowRef, second: RowRef, file: str) -> AmbiguousMatch:
    """The error for two paths of a source that are found as one file."""
    return AmbiguousMatch(
        f"{source}: row {first.row} ({first.path}) and row {second.row} ({second.path}) name two files, but both are "
        f"found as {file}: give as --media-root the folder in which the two paths, or longer ends of them, exist"
    )
