"""Counts rows whose image cannot be decoded; too many of them are an error."""

import logging
import threading

from negjax.datasets.stored.store import StoredSet
from negjax.errors import NegjaxError

logger = logging.getLogger(__name__)


class BrokenRows:
    """The distinct rows of a source's set whose image this process could not decode; `len` counts them. Thread-safe."""

    def __init__(self, most: int):
        """most: largest allowed number of such rows."""
        self._most = most
        self._rows: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, data: StoredSet, row: int, reason: Exception) -> None:
        """Counts a row, and logs a warning the first time.

        Raises:
            NegjaxError: there are too many.
        """
        with self._lock:
            new = row not in self._rows
            self._rows.add(row)
            count = len(self._rows)
            if new and count <= self._most:  # here, so that no other thread goes on with the row before it is told
                logger.warning("%s: the next row takes its place (%d broken so far)", reason, count)
        if count > self._most:
            raise NegjaxError(
                f"set {data.name}: {count} of its {len(data)} rows have images that cannot be decoded, the latest is "
                f"{reason}; build the set again, or allow more (config.most_broken is {self._most})"
            ) from reason
