"""Rows that are skipped when a set is built: counted by reason, named in the set's metadata, errors and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from negjax.datasets.sources.rows import AMBIGUOUS_QUESTION, BROKEN, INVALID, MISSING, NO_QUESTION, RowSource
from negjax.errors import NegjaxError

NAMED_ROWS = 20


@dataclass
class SkippedRows:
    """The skipped rows.

    Attributes:
        by_reason: Reason -> the number of rows and the first NAMED_ROWS of them, as in the set's metadata:
            {"missing": {"count": 1, "first": [{"row": 7, "file": "a.jpg"}]}}.
        detail: The second key of a named row: "file" for its path, or "why" for an explanation.
    """

    by_reason: dict[str, dict[str, Any]]
    detail: str

    @classmethod
    def none(cls, reasons: Sequence[str], detail: str) -> Self:
        """No rows, for any of these reasons."""
        return cls({reason: {"count": 0, "first": []} for reason in reasons}, detail)

    def add(self, reason: str, row: int, detail: str) -> None:
        """Counts a row. row: its index in the source."""
        entry = self.by_reason[reason]
        entry["count"] += 1
        if len(entry["first"]) < NAMED_ROWS:
            entry["first"].append({"row": row, self.detail: detail})

    def add_all(self, other: "SkippedRows") -> None:
        """Counts the rows of a later part of the source."""
        for reason, entry in self.by_reason.items():
            later = other.by_reason[reason]
            entry["count"] += later["count"]
            entry["first"] = (entry["first"] + later["first"])[:NAMED_ROWS]

    def counts(self) -> dict[str, int]:
        """Reason -> number of skipped rows."""
        return {reason: entry["count"] for reason, entry in self.by_reason.items()}

    def notes(self, source: RowSource, explanations: Mapping[str, str]) -> list[str]:
        """A remark for the user on each reason for which rows were skipped."""
        notes = []
        for reason, entry in self.by_reason.items():
            if entry["count"]:
                first = entry["first"][0]
                what = f"skipped {entry['count']:,} of {source.rows:,} rows: {explanations[reason]}"
                notes.append(f"{what} (the first is row {first['row']}: {first[self.detail]})")
        return notes

    def refusal(self, reason: str, source: RowSource, explanation: str, remedy: str) -> NegjaxError:
        """The error for rows that must not be skipped.

        Args:
            reason: A reason for which rows were skipped.
            source: The source of the rows.
            explanation: What is wrong with the rows.
            remedy: What the user can do.
        """
        entry = self.by_reason[reason]
        first = entry["first"][0]
        return NegjaxError(
            f"{source.name}: {entry['count']:,} of {source.rows:,} rows cannot be used: {explanation}; "
            f"the first is row {first['row']} ({first[self.detail]}); {remedy}"
        )


def explain_reasons(source: RowSource, media_type: str = "image") -> dict[str, str]:
    """Reason for skipping rows -> what is wrong with such rows, for messages."""
    return {
        MISSING: f"their {media_type}s do not exist below {source.media_root}",
        BROKEN: f"their {media_type}s cannot be decoded",
        INVALID: "they are malformed",
        NO_QUESTION: f"there is no question for their {media_type}s",
        AMBIGUOUS_QUESTION: f"a question for an {media_type} of the same name may belong to another one",
    }
