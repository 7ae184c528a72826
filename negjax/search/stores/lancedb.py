"""LanceDB: a folder, or an object store, without a server. Searches are exact until an index is made."""

from collections.abc import Sequence
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa

from negjax.search.stores.store import StoreAddress, StoredRow, VectorStore, in_batches, one_line, ordered_vectors

_KEY = b"negjax"  # of the description, in the metadata of the schema
_BATCH = 1000  # rows that are named in one condition
_CANDIDATES = 10  # an index with compressed vectors finds so many times the rows, which are ranked again without it


class LanceDB(VectorStore):
    """A table of LanceDB: id, path and sha256 as texts, vector."""

    errors = (ValueError, RuntimeError, OSError, pa.ArrowException)

    @one_line
    def __init__(self, address: StoreAddress):
        super().__init__(address)
        self._database = lancedb.connect(address.uri)
        try:
            self._table = self._database.open_table(address.table)
        except ValueError as error:
            if "not found" not in str(error):
                raise
            self._table = None

    @one_line
    def description(self) -> str | None:
        """See `VectorStore`."""
        return None if self._table is None else (self._table.schema.metadata or {}).get(_KEY, b"").decode()

    @one_line
    def create(self, description: str, width: int) -> None:
        """See `VectorStore`."""
        columns = [(name, pa.string()) for name in ("id", "path", "sha256")]
        schema = pa.schema([*columns, ("vector", pa.list_(pa.float32(), width))])
        schema = schema.with_metadata({_KEY: description.encode()})
        self._table = self._database.create_table(self.address.table, schema=schema)

    @one_line
    def rows(self) -> list[StoredRow]:
        """See `VectorStore`."""
        columns = self._table.search().select(["path", "sha256"]).limit(None).to_arrow().to_pydict()
        return [StoredRow(path, bytes.fromhex(sha256)) for path, sha256 in zip(columns["path"], columns["sha256"])]

    @one_line
    def add(self, rows: Sequence[StoredRow], vector_nE: np.ndarray) -> None:
        """See `VectorStore`."""
        schema = self._table.schema
        flat = pa.array(np.ascontiguousarray(vector_nE, np.float32).ravel())
        columns = [
            pa.array([str(row.id) for row in rows]),
            pa.array([row.path for row in rows]),
            pa.array([row.sha256.hex() for row in rows]),
            pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type),
        ]
        self._table.add(pa.Table.from_arrays(columns, schema=schema))

    @one_line
    def vectors(self, rows: Sequence[StoredRow]) -> np.ndarray:
        """See `VectorStore`."""
        by_id: dict[str, Any] = {}
        for _, batch in in_batches(rows, _BATCH):
            found = self._table.search().where(_condition(batch)).select(["id", "vector"]).limit(None).to_arrow()
            by_id |= dict(zip(found["id"].to_pylist(), found["vector"].to_pylist()))
        return ordered_vectors(self.address, rows, by_id, self._table.schema.field("vector").type.list_size)

    @one_line
    def remove(self, rows: Sequence[StoredRow]) -> None:
        """See `VectorStore`."""
        for _, batch in in_batches(rows, _BATCH):
            self._table.delete(_condition(batch))

    @one_line
    def settle(self) -> None:
        """Joins the small fragments that each batch has left."""
        self._table.optimize()

    @one_line
    def nearest(self, vector_E: np.ndarray, count: int) -> list[tuple[str, float]]:
        """See `VectorStore`."""
        query = self._table.search(vector_E).distance_type("cosine").refine_factor(_CANDIDATES)
        rows = query.select(["path", "_distance"]).limit(count).to_list()
        return [(row["path"], 1 - row["_distance"]) for row in rows]


def _condition(rows: Sequence[StoredRow]) -> str:
    return f"id IN ({', '.join(repr(str(row.id)) for row in rows)})"
