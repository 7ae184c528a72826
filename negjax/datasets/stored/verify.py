"""Verifies a stored set by reading all of it: `negjax data verify`."""

import hashlib
from collections.abc import Callable

from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.stored.writing import CONTENT_MODULUS, record_digest
from negjax.errors import NegjaxError


def verify_set(data: StoredSet, on_row: Callable[[], object] | None = None) -> None:
    """Compares all records and media of a set with the sums that were written when it was built.

    Opening and reading a set already compare the sizes of its files, the content of the small ones, the beginning and
    end of each shard, and each record with its own checksum.

    Args:
        data: The set.
        on_row: Called after each row.

    Raises:
        NegjaxError: A record or its media are not what was written.
    """
    content = 0
    for record in data.rows():
        if hashlib.sha256(record["media"]).hexdigest() != record["media_sha256"]:
            raise NegjaxError(
                f"set {data.name} in {data.path}, row {record['id']} is damaged (its media are not those of "
                "its media_sha256): build the set again"
            )
        content = (content + record_digest(record)) % CONTENT_MODULUS
        if on_row:
            on_row()
    if f"{content:064x}" != data.metadata.get("content"):
        raise NegjaxError(
            f"set {data.name} in {data.path} does not hold the records that were written (some are of another set, or "
            "were altered): build it again"
        )
