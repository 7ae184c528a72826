"""The interface of a store: a table of files and their vectors in an existing engine.

A row holds a path below the indexed folder, the sha256 of its content, and a unit vector. It is never changed: a file
with another content is another row. Shapes: n rows, E embedding width.
"""

import functools
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

import numpy as np

from negjax.errors import NegjaxError

T = TypeVar("T")
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,47}")


@dataclass(frozen=True)
class StoreAddress:
    """Where a table of vectors is; index.json has it.

    Attributes:
        kind: the engine, a key of `negjax.search.stores.table.STORES`.
        uri: of the server, or a folder.
        table: the name of the table.
    """

    kind: str
    uri: str
    table: str

    def __post_init__(self) -> None:
        if not _TABLE.fullmatch(self.table):
            raise NegjaxError(
                f"--table {self.table!r}: give at most 48 small letters, digits and underscores, a letter first"
            )
        if "://" in self.uri and (urlsplit(self.uri).password or "password" in parse_qs(urlsplit(self.uri).query)):
            raise NegjaxError(
                "the URI of the store has a password in it, and the index would keep it: give it in the environment "
                "(PGPASSWORD or ~/.pgpass, QDRANT_API_KEY)"
            )

    def __str__(self) -> str:
        return f"{self.kind} at {self.uri}, table {self.table}"


class StoredRow(NamedTuple):
    """What a row is of.

    Attributes:
        path: below the indexed folder.
        sha256: of its content, 32 bytes.
    """

    path: str
    sha256: bytes

    @property
    def id(self) -> uuid.UUID:
        """The name of the row in the engine; it follows from path and content."""
        return uuid.UUID(bytes=hashlib.sha256(self.sha256 + self.path.encode()).digest()[:16])


class VectorStore:
    """A table in an engine. All methods raise NegjaxError where the engine refuses or cannot be reached.

    Attributes:
        errors: what the engine raises.
    """

    errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, address: StoreAddress):
        """Connects. The table need not exist."""
        self.address = address

    def description(self) -> str | None:
        """The text that `create` gave the table; "" for a table of another origin, None where there is no table."""
        raise NotImplementedError

    def create(self, description: str, width: int) -> None:
        """Makes the table. width: E."""
        raise NotImplementedError

    def rows(self) -> list[StoredRow]:
        """All rows, without their vectors."""
        raise NotImplementedError

    def add(self, rows: Sequence[StoredRow], vector_nE: np.ndarray) -> None:
        """Adds rows that are not there, with their vectors, float32."""
        raise NotImplementedError

    def vectors(self, rows: Sequence[StoredRow]) -> np.ndarray:
        """The vectors of rows, float32 [n, E], in their order."""
        raise NotImplementedError

    def remove(self, rows: Sequence[StoredRow]) -> None:
        """Removes rows."""
        raise NotImplementedError

    def settle(self) -> None:
        """Puts the table in order after changes, so that searches are fast."""

    def nearest(self, vector_E: np.ndarray, count: int) -> list[tuple[str, float]]:
        """The paths with the highest cosines with a vector of any length above 0, and these cosines, best first."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends the connection."""


def one_line(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a store that raises NegjaxError in the place of the errors of its engine."""

    @functools.wraps(method)
    def call(self: VectorStore, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except self.errors as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise NegjaxError(f"{self.address}: {reason}") from error

    return call


def in_batches(items: Sequence[T], size: int) -> Iterator[tuple[int, Sequence[T]]]:
    """Items in batches, each with the number of its first item."""
    for start in range(0, len(items), size):
        yield start, items[start : start + size]


def ordered_vectors(address: StoreAddress, rows: Sequence[StoredRow], by_id: dict[str, Any], width: int) -> np.ndarray:
    """The vectors that an engine returned in any order [n, E]. Raises NegjaxError where one is missing."""
    if missing := [row for row in rows if str(row.id) not in by_id]:
        raise NegjaxError(f"{address}: the row of {missing[0].path} is gone: run the same command again")
    return np.array([by_id[str(row.id)] for row in rows], np.float32).reshape(-1, width)
