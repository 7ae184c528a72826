"""Qdrant: a server by its URL, or a folder for small trials with the client alone.

The environment variable QDRANT_API_KEY has the key of the server. Searches use Qdrant's own index, which it makes
beyond some 10,000 vectors; they are exact below.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from negjax.errors import NegjaxError
from negjax.search.stores.store import StoreAddress, StoredRow, VectorStore, in_batches, one_line, ordered_vectors

_KEY = "negjax"  # of the description, in the metadata of the collection
_BATCH = 256  # rows of one request, of which the server takes 32 MB
_PAGE = 4096  # rows of one answer without vectors
_SECONDS = 60


class Qdrant(VectorStore):
    """A collection of Qdrant, with path and sha256 as the payload."""

    errors = (ApiException, ValueError, RuntimeError, OSError)

    @one_line
    def __init__(self, address: StoreAddress):
        super().__init__(address)
        if address.uri.startswith(("http://", "https://")):
            key = os.environ.get("QDRANT_API_KEY") or None
            self._client = QdrantClient(url=address.uri, api_key=key, timeout=_SECONDS, check_compatibility=False)
        else:
            self._client = QdrantClient(path=address.uri)
        self._name = address.table

    @one_line
    def description(self) -> str | None:
        """See `VectorStore`."""
        if not self._client.collection_exists(self._name):
            return None
        return (self._client.get_collection(self._name).config.metadata or {}).get(_KEY, "")

    @one_line
    def create(self, description: str, width: int) -> None:
        """See `VectorStore`."""
        vectors = models.VectorParams(size=width, distance=models.Distance.COSINE)
        self._client.create_collection(self._name, vectors_config=vectors, metadata={_KEY: description})
        if not self.description():
            self._client.delete_collection(self._name)
            raise NegjaxError(
                f"{self.address}: the server keeps no metadata of collections: update it to 1.16 or newer"
            )

    @one_line
    def rows(self) -> list[StoredRow]:
        """See `VectorStore`."""
        rows: list[StoredRow] = []
        page = None
        while True:
            points, page = self._client.scroll(
                self._name, limit=_PAGE, offset=page, with_payload=["path", "sha256"], with_vectors=False
            )
            rows += [StoredRow(point.payload["path"], bytes.fromhex(point.payload["sha256"])) for point in points]
            if page is None:
                return rows

    @one_line
    def add(self, rows: Sequence[StoredRow], vector_nE: np.ndarray) -> None:
        """See `VectorStore`."""
        for start, batch in in_batches(rows, _BATCH):
            points = models.Batch(
                ids=[str(row.id) for row in batch],
                vectors=vector_nE[start : start + len(batch)].tolist(),
                payloads=[{"path": row.path, "sha256": row.sha256.hex()} for row in batch],
            )
            self._client.upsert(self._name, points=points, wait=True)

    @one_line
    def vectors(self, rows: Sequence[StoredRow]) -> np.ndarray:
        """See `VectorStore`."""
        by_id: dict[str, Any] = {}
        for _, batch in in_batches(rows, _BATCH):
            ids = [str(row.id) for row in batch]
            points = self._client.retrieve(self._name, ids=ids, with_payload=False, with_vectors=True)
            by_id |= {str(point.id): point.vector for point in points}
        width = self._client.get_collection(self._name).config.params.vectors.size
        return ordered_vectors(self.address, rows, by_id, width)

    @one_line
    def remove(self, rows: Sequence[StoredRow]) -> None:
        """See `VectorStore`."""
        for _, batch in in_batches(rows, _PAGE):
            selector = models.PointIdsList(points=[str(row.id) for row in batch])
            self._client.delete(self._name, points_selector=selector, wait=True)

    @one_line
    def nearest(self, vector_E: np.ndarray, count: int) -> list[tuple[str, float]]:
        """See `VectorStore`."""
        answer = self._client.query_points(self._name, query=vector_E.tolist(), limit=count, with_payload=["path"])
        return [(point.payload["path"], point.score) for point in answer.points]

    @one_line
    def close(self) -> None:
        """See `VectorStore`."""
        self._client.close()
