"""Rows of a retrieval source that name one image: one record, with the captions and labels of all of them."""

from dataclasses import dataclass, field

from negjax.datasets.records import Record
from negjax.datasets.sources.rows import Row
from negjax.errors import NegjaxError

LABELS = ("positive_objects", "negative_objects")


@dataclass
class LaterRows:
    """The rows of an image after its first one.

    Attributes:
        rows: The index and the path of each.
        captions: Their captions, in order.
        labels: Column of LABELS -> its objects in these rows.
    """

    rows: list[tuple[int, str]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Adds a row."""
        self.rows.append((row.index, row.path))
        self.captions += row.record["captions"]
        for name in LABELS:
            listed = self.labels.setdefault(name, [])
            listed += [label for label in row.record.get(name, ()) if label not in listed]


def merge_rows(first: Row, later: LaterRows | None, source: str) -> Record:
    """The record of an image.

    Args:
        first: Its first row.
        later: Its other rows; None for none.
        source: Name of the source in errors.

    Raises:
        NegjaxError: Its rows disagree: an object is in the image by one row, and not in it by another.
    """
    if later is None:
        return first.record
    record = first.record | {"captions": [*first.record["captions"], *later.captions]}
    for name in LABELS:
        record[name] = list(dict.fromkeys([*first.record.get(name, ()), *later.labels[name]]))
    if both := set(record[LABELS[0]]) & set(record[LABELS[1]]):
        rows = ", ".join(str(index) for index in (first.index, *(index for index, _ in later.rows)))
        raise NegjaxError(
            f"{source}: {first.path} has the rows {rows[:60]}, and {min(both)!r} is among its positive_objects and "
            "among its negative_objects: correct these rows"
        )
    return record
