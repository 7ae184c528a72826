"""What `negjax data build` tells of a set that it has built."""

from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from negjax.datasets.sources.rows import RowSource


@dataclass(frozen=True)
class BuiltSet:
    """A new set.

    Attributes:
        folder: Where it is, DATA_DIR/NAME.
        rows: Number of rows of the source.
        written: Number of records of the set.
        skipped: For each reason (see `rows`) how many rows are left out.
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
    """Whether a set counts as negated.

    Args:
        source: Its own `negated` decides, unless it is None.
        choice: The user's choice, which decides before all; None for none.
        texts: Number of texts.
        negated_texts: How many of them hold a negation word: most of them must, if nothing else decides.
        what: What is counted as a text, in the plural.

    Returns:
        The decision, and a remark for the user where the texts decided.
    """
    if choice is not None:
        return choice, []
    if source.negated is not None:
        return source.negated, []
    share = negated_texts / texts
    word = "negated" if share > 0.5 else "affirmative"
    return share > 0.5, [f"taken for {word}: {share:.0%} of its {what} hold a negation word; change it with --negated"]


def empty_text_notes(count: int) -> list[str]:
    """A remark for the user if a set has empty texts."""
    return [f"empty texts: {count:,}, kept like the others"] if count else []
