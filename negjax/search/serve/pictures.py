"""Pictures of the index for the page: re-encoded, of two sizes, and the small ones kept for a while."""

import threading
from collections import OrderedDict
from pathlib import Path

from negjax.media.thumbnails import to_webp
from negjax.search.found_files import file_picture
from negjax.search.index_folder import FileIndex

PICTURE_SIDES = {"small": 320, "large": 1600}  # pixels of the longer side
KEPT_BYTES = 64 << 20  # of small pictures


class Pictures:
    """The pictures of an index. Safe to use in several threads."""

    def __init__(self, index: FileIndex):
        """Reads nothing."""
        self._index = index
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(4)  # a large image takes a quarter of a gigabyte

    def webp(self, row: int, size: str) -> bytes:
        """A picture as WebP.

        Args:
            row: of the index.
            size: a key of PICTURE_SIDES.

        Raises:
            NegjaxError: the file is gone, lies outside the folder by now, or does not decode any more.
        """
        with self._lock:
            if size == "small" and row in self._kept:
                self._kept.move_to_end(row)
                return self._kept[row]
        with self._decoding:
            webp = to_webp(file_picture(Path(self._index.info.folder), self._index.file_path(row)), PICTURE_SIDES[size])
        if size == "small":
            with self._lock:
                self._bytes += len(webp) - len(self._kept.pop(row, b""))
                self._kept[row] = webp
                while self._bytes > KEPT_BYTES:
                    self._bytes -= len(self._kept.popitem(last=False)[1])
        return webp
