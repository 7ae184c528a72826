"""The images of a set, over shards that are built in any order and process.

No two paths of a source may be found as one file. Users are told of images that several rows show, and of files that
are found without folders of their paths. Each image takes 32 bytes of memory.
"""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from negjax.datasets.build.dropped_folders import DroppedFolders
from negjax.datasets.build.media_matches import AmbiguousMatch, MediaMatches, ambiguous_match
from negjax.datasets.sources.media_root import plain_path
from negjax.datasets.sources.rows import RowRef, RowSource

# Hashes of an image's file, of its path and of the folders of the path that it is found without; its first row.
KNOWN_IMAGE = np.dtype([("file", "<u8"), ("path", "<u8"), ("dropped", "<u8"), ("row", "<i8")])
# The same for a shard; the number of its records that store the image, and the size of each in bytes.
SHARD_IMAGE = np.dtype([*KNOWN_IMAGE.descr, ("copies", "<i8"), ("bytes", "<i8")])


def shard_images(matches: MediaMatches) -> np.ndarray:
    """The images of a shard, [N] of SHARD_IMAGE, sorted by `file`."""
    rows = (
        (_hash(name), _hash(plain_path(file.row.path)), _hash(file.dropped), file.row.row, file.copies, file.bytes)
        for name, file in matches.files.items()
    )
    images = np.fromiter(rows, SHARD_IMAGE, len(matches.files))
    return images[np.argsort(images["file"])]


@dataclass
class SetImages:
    """The images of the shards so far.

    Attributes:
        source: The source of the set.
        known: The images that were found, [N] of KNOWN_IMAGE, sorted by `file`.
        copies: Number of records that store one of them.
        stored: Number of images that records store.
        repeated_bytes: Bytes that are stored because several records store an image.
    """

    source: RowSource
    known: np.ndarray = field(default_factory=lambda: np.empty(0, KNOWN_IMAGE))
    copies: int = 0
    stored: int = 0
    repeated_bytes: int = 0

    def add(self, images: np.ndarray) -> None:
        """Adds those of a shard, see `shard_images`; raises AmbiguousMatch if one is the file of another path."""
        places = np.searchsorted(self.known["file"], images["file"])
        again = np.zeros(len(images), bool)
        inside = places < len(self.known)
        again[inside] = self.known["file"][places[inside]] == images["file"][inside]
        first, later, new = self.known[places[again]], images[again], images[~again]
        if len(other := np.flatnonzero(first["path"] != later["path"])):
            raise self._ambiguous(int(first["row"][other[0]]), int(later["row"][other[0]]))
        self.known = np.insert(self.known, places[~again], new[list(KNOWN_IMAGE.names or ())].astype(KNOWN_IMAGE))
        self.copies += int(images["copies"].sum())
        self.stored += int((new["copies"] > 0).sum())
        self.repeated_bytes += int((later["copies"] * later["bytes"]).sum())
        self.repeated_bytes += int(((new["copies"] - 1).clip(0) * new["bytes"]).sum())

    def notes(self, dropped: DroppedFolders, media_type: str = "image") -> list[str]:
        """Remarks for the user, once all shards are added.

        Args:
            dropped: The folders that their files are found without.
            media_type: "image" or "video".
        """
        notes = []
        if self.copies > self.stored:
            notes.append(
                f"{self.copies:,} rows show {self.stored:,} {media_type}s: each row stores its own copy, which takes "
                f"{self.repeated_bytes / 2**20:,.1f} MiB more than one of each"
            )
        if doubtful := dropped.doubtful():
            files = np.isin(self.known["dropped"], np.array([_hash(folders) for folders in doubtful], "<u8")).sum()
            notes.append(
                f"{files:,} files are found only without folders of their paths, which others are in (the first is "
                f"{next(iter(doubtful.values()))}): check that these are the right files"
            )
        return notes

    def _ambiguous(self, *rows: int) -> AmbiguousMatch:
        """The error for two rows whose paths are found as one file."""
        first, second = (self._row(row) for row in sorted(rows))
        find = self.source.find_media
        assert find is not None
        # Where a build was resumed, one of them may have been found before the files were moved.
        return ambiguous_match(self.source.name, first, second, str(find(second.path) or find(first.path)))

    def _row(self, index: int) -> RowRef:
        """The row of the source with this index."""
        ends = list(accumulate(shard.rows for shard in self.source.shards))
        shard = self.source.shards[bisect_right(ends, index)]
        return next(row.ref for row in shard.read(lambda *_: None) if row.index == index)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
