"""The rows of a store while a folder is indexed into it: what is there is the truth, whatever happened before.

Shapes: n files of a chunk, E embedding width.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from negjax.search.journal import IndexedFile
from negjax.search.stores.store import StoredRow, VectorStore


class StoredFiles:
    """The rows of a store.

    Rows are added until all files have theirs, and only then are others removed: a content that is needed stays there,
    and a run that is killed at any point is completed by the next.

    Attributes:
        contents: sha256 of each content -> a row with its vector.
    """

    def __init__(self, store: VectorStore):
        """Reads which rows there are."""
        self._store = store
        self._rows = set(store.rows())
        self._is_changed = False
        self.contents: dict[bytes, StoredRow] = {row.sha256: row for row in self._rows}

    def has(self, path: str, sha256: bytes) -> bool:
        """Whether a file with this content has its row."""
        return StoredRow(path, sha256) in self._rows

    def add(self, files: Sequence[IndexedFile], vector_nE: np.ndarray) -> None:
        """Adds the files of a chunk that have no row.

        Args:
            files: the files; those of contents that are not in `contents` have theirs in `vector_nE`.
            vector_nE: the embeddings to which their rows point.
        """
        own = {each.sha256: each.row for each in files if each.row is not None}
        rows = [StoredRow(each.file.path, each.sha256) for each in files if not each.error]
        rows = [row for row in rows if row not in self._rows]
        embedded = [row for row in rows if row.sha256 in own]
        if embedded:
            self._add(embedded, vector_nE[[own[row.sha256] for row in embedded]])
        copied = [row for row in rows if row.sha256 not in own]
        if copied:
            self._add(copied, self._store.vectors([self.contents[row.sha256] for row in copied]))

    def keep_only(self, rows: Iterable[StoredRow]) -> None:
        """Removes all other rows, and puts the table in order where it changed."""
        stale = self._rows - set(rows)
        if stale:
            self._store.remove(sorted(stale))
        if stale or self._is_changed:
            self._store.settle()

    def _add(self, rows: Sequence[StoredRow], vector_nE: np.ndarray) -> None:
        self._store.add(rows, vector_nE)
        self._rows |= set(rows)
        self.contents |= {row.sha256: row for row in rows}
        self._is_changed = True
