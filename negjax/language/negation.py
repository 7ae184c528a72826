"""Negation cue words of English captions, and the test whether a text holds one.

A cue either opens the scope that it negates ("NO cat", "it LACKS a cat": FORWARD_CUES), or negates the whole clause
around it ("a cat is NOT here", "the cat is ABSENT": CLAUSE_CUES). All patterns match text from `normalize`.
"""

import re

# The negated scope runs from the cue to the end of the clause.
FORWARD_CUES = (
    r"no|without|neither|nor|none|lack(?:s|ed|ing)?|devoid|void of|empty of|free (?:of|from)|minus|except(?: for)?"
    r"|exclud(?:e|es|ing)|omit(?:s|ting)?|instead of|rather than|leav(?:e|es|ing)(?=(?: \w+){0,3} out\b)"
    r"|fail(?:s|ing)? to"
)
# The negated scope is the clause that holds the cue, on both sides of it.
CLAUSE_CUES = (
    r"not(?! only)|cannot|never|nothing|nobody|nowhere|absent|absence|missing|excluded|omitted|left out|non-?existent"
    r"|\w+n't|(?<=-)free"
)
NEGATION_CUE = re.compile(rf"\b(?:{FORWARD_CUES}|{CLAUSE_CUES})\b")


def is_negated(text: str) -> bool:
    """Report whether a text holds a negation cue.

    Args:
        text: a caption, option or query in any case.

    Returns:
        True for texts with "no", "isn't", "lacks", "absent", "cat-free" and the like.
    """
    return NEGATION_CUE.search(normalize(text)) is not None


def normalize(text: str) -> str:
    """Convert a text to the form that the patterns of this module match.

    Args:
        text: any text.

    Returns:
        The text in lower case, with straight apostrophes.
    """
    return text.lower().replace("’", "'")
