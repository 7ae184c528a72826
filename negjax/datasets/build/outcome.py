"""The result of `negjax data build`, with its notes for the user."""

from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from negjax.datasets.sources.rows import RowSource


@dataclass(frozen=True)
class BuiltSet:
    """A new set.

    Attributes:
        folder: The folder of the set, DATA_DIR/NAME.
        rows: Number of rows of the source.
        written: Number of records of the set.
        skipped: Reason (see `negjax.datasets.sources.rows`) -> number of skipped rows.
        notes: Remarks for the user.
    """

    folder: epath.Path
    rows: int
    written: int
    skipped: Mapping[str, int]
    notes: tuple[str, ...]


def decide_negated(
    source: RowSource, choice: bool | None, texts: int, negated_texts: int, what: str
) -> tuple[bool, list[str]]:
    """Decides whether a set counts as negated.

    Args:
        source: The source; its `negated` decides, unless it is None.
        choice: The user's choice, which takes precedence; None for none.
        texts: Number of texts.
        negated_texts: Number of texts with a negation word; a majority makes the set negated, if nothing else decides.
        what: Name of the counted texts in the plural, for the remark.

    Returns:
        The decision, and a remark for the user where the texts decided.
    """
    if choice is not None:
        return choice, []
    if source.negated is not None:
        return source.negated, []
    share = negated_texts / texts
    word = "negated" if share > 0.5 else "affirmative"
    return share > 0.5, [f"counted as {word}: {share:.0%} of its {what} hold a negation word; change it with --negated"]


def empty_text_notes(count: int) -> list[str]:
    """A remark for the user if a set has empty texts."""
    return [f"empty texts: {count:,}, kept like the others"] if count else []
