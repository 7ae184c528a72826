"""A search: what is asked and excluded, in words and pictures, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.parsed import Operator, Parsed
from negjax.language.splitter import split

MAX_QUERY = 1000  # characters
MAX_EXCLUDED = 16  # parts that are excluded
MAX_STRENGTH = 3.0
DEFAULT_METHOD = "subtract"  # the fewest pictures with what is excluded, see README.md


@dataclass(frozen=True)
class SearchRequest:
    """A search.

    Attributes:
        query: the query as it was read; None for a search by pictures alone.
        negation: a method of `negjax.negation.table`, with constants where they are given; "none" for the cosine with
            the query as it stands.
        strength: how strongly exclusion counts: 0 searches for what is asked alone, 1 as the method does, 2 twice so.
        like: embeddings of pictures that results should be like.
        unlike: embeddings of pictures that results should not be like.
    """

    query: Parsed | None
    negation: str = DEFAULT_METHOD
    strength: float = 1.0
    like: Sequence[np.ndarray] = ()
    unlike: Sequence[np.ndarray] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise NegjaxError(f"strength is {self.strength:g}: give a number from 0 to {MAX_STRENGTH:g}")
        if self.query is None and not self.like:
            raise NegjaxError("nothing is asked: give a query in words, or a picture to find others like it")


def read_query(text: str) -> Parsed:
    """Reads a query in words.

    Raises:
        NegjaxError: it is blank or too long.
    """
    if not text.strip():
        raise NegjaxError('the query is blank: write what to find, such as "a beach without people"')
    if len(text) > MAX_QUERY:
        raise NegjaxError(f"the query has {len(text):,} characters: write at most {MAX_QUERY:,}")
    return split(text)


def compose_query(asked: Sequence[str], excluded: Sequence[str]) -> Parsed:
    """The query of parts that a user chose.

    Args:
        asked: what is asked; what one of them itself denies is excluded too.
        excluded: what is excluded.

    Raises:
        NegjaxError: there are no parts, or too many, or too long ones.
    """
    asked, excluded = [part.strip() for part in asked if part.strip()], [part.strip() for part in excluded]
    excluded = list(dict.fromkeys(part for part in excluded if part))
    if len(excluded) > MAX_EXCLUDED:
        raise NegjaxError(f"{len(excluded)} parts are excluded: give at most {MAX_EXCLUDED}")
    names = " or ".join(excluded)
    text = " and ".join(asked) + (f"{' without' if asked else 'no'} {names}" if names else "")
    if not excluded:
        return read_query(text)
    read = read_query(" and ".join(asked)) if asked else Parsed("", "")
    if len(text) > MAX_QUERY:
        raise NegjaxError(f"the query has {len(text):,} characters: write at most {MAX_QUERY:,}")
    negated = tuple(dict.fromkeys([*read.negated, *excluded]))
    operator: Operator = "but_not" if read.affirmed else "single" if len(negated) == 1 else "neither"
    return replace(read, caption=text, negated=negated, operator=operator, remark="")
