"""The words of negation in English captions, and telling texts that hold one."""

import re

# Words that open what they deny: "a dog, NO cat", "it LACKS a cat". The denial runs from them to the end of the clause.
OPENING = (
    r"no|without|neither|nor|none|lack(?:s|ed|ing)?|devoid|void of|empty of|free (?:of|from)|minus|except(?: for)?"
    r"|exclud(?:e|es|ing)|omit(?:s|ting)?|instead of|rather than|leav(?:e|es|ing)(?=(?: \w+){0,3} out\b)"
    r"|fail(?:s|ing)? to"
)
# Words that deny the whole clause: "a cat is NOT here", "the cat is ABSENT", "cat-FREE".
WHOLE = (
    r"not(?! only)|cannot|never|nothing|nobody|nowhere|absent|absence|missing|excluded|omitted|left out|non-?existent"
    r"|\w+n't|(?<=-)free"
)
NEGATION = re.compile(rf"\b(?:{OPENING}|{WHOLE})\b")


def is_negated(text: str) -> bool:
    """Whether the text holds a word that denies something ("no", "isn't", "lacks", "absent", "cat-free", ...)."""
    return NEGATION.search(plain(text)) is not None


def plain(text: str) -> str:
    """The text in the form that the patterns here are for."""
    return text.lower().replace("’", "'")
