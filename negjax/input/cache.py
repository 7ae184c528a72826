"""Decoded images of a set that is small enough to be kept in memory."""

import threading

import numpy as np
from PIL import Image

from negjax.datasets.records import Record

CACHE_BYTES = 1 << 30  # largest size of the decoded images of a set in memory
SAMPLE = 64  # images from which the total size is estimated, where sizes differ

Entry = tuple[np.ndarray | Image.Image, Record]  # pixels [S, S, 3] or the image to crop, and its row without media


class DecodedImages:
    """Rows with their decoded images: all rows of a set or, if they do not fit into CACHE_BYTES, none.

    Caching a part of a set would not help: in a shuffled order its hit rate is only its share of the set.
    """

    def __init__(self, rows: int, size: int | None = None):
        """rows: number of rows of the set. size: bytes of an image if all have one size, else None."""
        self._rows = rows
        self._entries: dict[int, Entry] = {}
        self._bytes = 0
        self._fits = size is None or rows * size <= CACHE_BYTES
        self._lock = threading.Lock()

    def get(self, row: int) -> Entry | None:
        """The row, if it is kept."""
        return self._entries.get(row)

    def add(self, row: int, entry: Entry) -> None:
        """Keeps the row, unless the set does not fit."""
        with self._lock:
            if not self._fits or row in self._entries:
                return
            self._entries[row] = entry
            self._bytes += _image_bytes(entry[0])
            count = len(self._entries)
            expected = self._bytes / count * self._rows if count >= SAMPLE else self._bytes
            if max(expected, self._bytes) > CACHE_BYTES:
                self._fits = False
                self._entries.clear()


def _image_bytes(image: np.ndarray | Image.Image) -> int:
    """In memory, where Pillow pads several channels to four."""
    if isinstance(image, np.ndarray):
        return image.nbytes
    return image.width * image.height * (1 if len(image.getbands()) == 1 else 4)
