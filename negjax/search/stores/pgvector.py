"""PostgreSQL with the extension pgvector. Searches are exact until an index is made.

The password comes from PGPASSWORD or ~/.pgpass, as for all programs of PostgreSQL.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

from negjax.errors import NegjaxError
from negjax.search.stores.store import StoreAddress, StoredRow, VectorStore, in_batches, one_line, ordered_vectors

_BATCH = 1000  # rows that are inserted, read or removed at a time
_SECONDS = 10  # until a server that does not answer is given up
_CANDIDATES = (40, 1000)  # fewest and most of hnsw.ef_search: an HNSW index returns no more rows than that


class PgVector(VectorStore):
    """A table of PostgreSQL: id uuid, path text, sha256 text, vector."""

    errors = (psycopg.Error,)

    @one_line
    def __init__(self, address: StoreAddress):
        super().__init__(address)
        if not address.uri.startswith(("postgresql://", "postgres://")):
            raise NegjaxError(f"{address}: give the URI as postgresql://USER@HOST/DATABASE")
        self._connection = psycopg.connect(address.uri, autocommit=True, connect_timeout=_SECONDS)
        self._table = sql.Identifier(address.table)
        if self.description() is not None:
            register_vector(self._connection)

    @one_line
    def description(self) -> str | None:
        """See `VectorStore`."""
        query = "SELECT table_, obj_description(table_, 'pg_class') FROM to_regclass(%s) AS table_"
        table, text = self._connection.execute(query, (self.address.table,)).fetchone()
        return None if table is None else text or ""

    @one_line
    def create(self, description: str, width: int) -> None:
        """See `VectorStore`."""
        columns = "id uuid PRIMARY KEY, path text NOT NULL, sha256 text NOT NULL, vector vector({}) NOT NULL"
        with self._connection.transaction():
            self._run("CREATE EXTENSION IF NOT EXISTS vector")
            self._run(f"CREATE TABLE {{}} ({columns})", self._table, sql.Literal(width))
            self._run("COMMENT ON TABLE {} IS {}", self._table, sql.Literal(description))
        register_vector(self._connection)

    @one_line
    def rows(self) -> list[StoredRow]:
        """See `VectorStore`."""
        found = self._run("SELECT path, sha256 FROM {}", self._table)
        return [StoredRow(path, bytes.fromhex(sha256)) for path, sha256 in found]

    @one_line
    def add(self, rows: Sequence[StoredRow], vector_nE: np.ndarray) -> None:
        """See `VectorStore`."""
        insert = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING").format(self._table)
        for start, batch in in_batches(rows, _BATCH):
            values = [
                (row.id, row.path, row.sha256.hex(), vector_E)
                for row, vector_E in zip(batch, vector_nE[start : start + len(batch)])
            ]
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.executemany(insert, values)

    @one_line
    def vectors(self, rows: Sequence[StoredRow]) -> np.ndarray:
        """See `VectorStore`."""
        by_id: dict[str, Any] = {}
        select = sql.SQL("SELECT id, vector FROM {} WHERE id = ANY(%s)").format(self._table)
        for _, batch in in_batches(rows, _BATCH):
            found = self._connection.execute(select, ([row.id for row in batch],))
            by_id |= {str(id_): vector.to_numpy() for id_, vector in found}
        return ordered_vectors(self.address, rows, by_id, len(next(iter(by_id.values()), ())))

    @one_line
    def remove(self, rows: Sequence[StoredRow]) -> None:
        """See `VectorStore`."""
        delete = sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self._table)
        for _, batch in in_batches(rows, _BATCH):
            self._connection.execute(delete, ([row.id for row in batch],))

    @one_line
    def settle(self) -> None:
        """Counts what is in the table, by which PostgreSQL plans its searches."""
        self._run("ANALYZE {}", self._table)

    @one_line
    def nearest(self, vector_E: np.ndarray, count: int) -> list[tuple[str, float]]:
        """See `VectorStore`."""
        least, most = _CANDIDATES
        select = "SELECT path, 1 - (vector <=> %(query)s) FROM {} ORDER BY vector <=> %(query)s LIMIT %(count)s"
        values = {"query": np.asarray(vector_E, np.float32), "count": count}
        with self._connection.transaction():
            candidates = str(min(max(2 * count, least), most))
            self._connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", (candidates,))
            return self._connection.execute(sql.SQL(select).format(self._table), values).fetchall()

    @one_line
    def close(self) -> None:
        """See `VectorStore`."""
        self._connection.close()

    def _run(self, text: str, *parts: sql.Composable) -> psycopg.Cursor:
        return self._connection.execute(sql.SQL(text).format(*parts))
