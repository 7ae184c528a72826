"""How a caption is read: what it affirms, what it denies, and how its objects are joined."""

from dataclasses import dataclass
from typing import Literal

Operator = Literal["none", "single", "and", "or", "but_not", "neither"]


@dataclass(frozen=True)
class Parsed:
    """A caption split into what is asked and what is excluded.

    Attributes:
        caption: the caption as given.
        affirmed: what the caption still says when its negated parts are cut, as a caption ("a beach"); the caption as
            given where nothing is negated; empty where everything is.
        concepts: the affirmed objects, where the affirmed part is one object or a list of objects, as bare noun phrases
            without articles ("dog", "red car"); empty where it is a whole sentence.
        negated: the negated concepts in the order in which they stand, without cue words and articles ("people"); empty
            where nothing is negated.
        operator: "none" (nothing negated, no list), "single" (one object alone is denied: "no dog"), "and" and "or"
            (affirmed objects in a list), "but_not" (something affirmed and something denied: "a beach without people"),
            "neither" (nothing affirmed and two or more objects denied: "neither a dog nor a cat").
        remark: why a caption that holds a cue word was left alone ("double negation"), or that a query denies what it
            affirms ("a dog without a dog", which is split all the same); empty else.
    """

    caption: str
    affirmed: str
    concepts: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    operator: Operator = "none"
    remark: str = ""
