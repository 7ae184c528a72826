"""Negation cue words of English captions, and the test whether a text holds one.

A cue either opens the scope that it negates ("NO cat", "it LACKS a cat": FORWARD_CUES), or negates the whole clause
around it ("a cat is NOT here", "the cat is ABSENT": CLAUSE_CUES). All patterns match text from `normalize`.
`negjax.language.splitter` reads what they negate.
"""

import re

from negjax.language.words import word_set

# Apostrophes are often left out in queries.
_WITHOUT_APOSTROPHE = r"cannot|(?:is|are|was|were|do|does|did|has|have|had|ca|could|would)nt"
_NEGATIVE_VERB = rf"(?:\w+n't|(?<= )n't|{_WITHOUT_APOSTROPHE})"
# What adjectives in -less deny ("treeless" denies trees), of those that deny something to be seen: "careless" and
# "wireless" do not, and "shirtless" or "sleeveless" are names of a look.
_LESS_NAMES = """
airplanes animals bags balls beard benches bicycles bikes birds boats books bottles bowls branches buses cars cats
chairs clouds collar cows cups dogs doors driver feathers flowers forks fruit furniture glasses grass hair handle
hat helmet horns horses knives leaves legs lid lights motorcycles moon passengers persons phones plants players
rider roof shadows sheep shoes signs snow sofas spoons stars sun tables tail traffic trains trees trucks umbrellas
vehicles waves water windows wings
"""
_LESS_STEMS = {"leaves": "leaf", "knives": "knife", "people": "people", "buses": "bus", "benches": "bench"}


def _without_plural(name: str) -> str:
    return _LESS_STEMS.get(name) or (name if name in {"grass", "glasses"} else name.removesuffix("s"))


LESS = {f"{_without_plural(name)}less": name for name in f"{_LESS_NAMES} people".split()} | {"toothless": "teeth"}

# The negated scope runs from the cue to the end of the clause.
FORWARD_CUES = (
    r"no(?:-one)?|without|w/o(?:ut)?|sans|neither|nor|none|lack(?:s|ed|ing)?"
    r"|(?:devoid|void|vacant|empty|clear|bare|bereft|barren) of"
    r"|free (?:of|from)|negative for|minus|except(?: for)?|exclud(?:e|es|ing)|omit(?:s|ting)?|instead of|rather than"
    r"|leav(?:e|es|ing)(?=(?: \w+){0,3} out\b)|fail(?:s|ing)? to|un\w+ed by"
    r"|zero(?= \w+s\b| people)|(?<=everything )but|(?<=everyone )but|(?<=everybody )but"
)
# The negated scope is the clause that holds the cue, on both sides of it.
CLAUSE_CUES = (
    r"not(?! only)|never|nothing|nobody|nowhere|absent|absence|missing|excluded|omitted|left out|non-?existent"
    rf"|{_NEGATIVE_VERB}|(?<=-)free|(?:un(?:occupied|inhabited|attended|manned|populated))|(?<=-)less|{'|'.join(LESS)}"
)
NEGATION_CUE = re.compile(rf"\b(?:{FORWARD_CUES}|{CLAUSE_CUES})\b")

# The words with which a cue can begin.
CUE_WORDS = word_set(
    """no no-one without sans neither nor none lack lacks lacked lacking devoid void vacant bereft minus except
    excluding excludes exclude omit omits omitting instead not never nothing nobody nowhere absent absence missing
    excluded omitted nonexistent non-existent unoccupied uninhabited unattended unmanned unpopulated"""
)
_IS_NEGATIVE_VERB = re.compile(rf"\w*n't|{_WITHOUT_APOSTROPHE}")
# Every cue holds "no" or one of these: looking for them is faster than for the cues.
_STEMS = (
    "n't", "ithout", "lack", "less", "free", "absen", "missing", "except", "exclu", "omit", "minus", "w/o", "sans",
    "never", "neither", "void", "empty of", "clear of", "bare of", "vacant of", "bereft", "barren of", "instead of",
    "rather than", "leav", "left out", "fail", "zero", "occupied", "habited", "attended", "manned", "populated",
    "ed by", "isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "hasnt", "havent", "hadnt", "cant",
    "couldnt", "wouldnt", "thing but", "one but", "body but", "negative for",
)  # fmt: skip


def may_be_negated(text: str) -> bool:
    """A fast test that is true wherever a text holds a cue, and sometimes elsewhere ("a notebook").

    Args:
        text: from `normalize`.
    """
    return "no" in text or any(stem in text for stem in _STEMS)


def is_negated(text: str) -> bool:
    """Report whether a text holds a negation cue.

    Args:
        text: a caption, option or query in any case.

    Returns:
        True for texts with "no", "isn't", "lacks", "absent", "cat-free" and the like.
    """
    return NEGATION_CUE.search(normalize(text)) is not None


def is_negative_verb(word: str) -> bool:
    """Whether a word, in the form of `normalize`, is an auxiliary verb with "not" in it: "isn't", "cannot", "dont"."""
    return word[-1:] in "t" and word[-2:-1] in "n'o" and _IS_NEGATIVE_VERB.fullmatch(word) is not None


def normalize(text: str) -> str:
    """Convert a text to the form that the patterns of this module match.

    Args:
        text: any text.

    Returns:
        The text in lower case, with straight apostrophes.
    """
    return text.lower().replace("’", "'")
