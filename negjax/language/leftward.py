"""Scopes to the left of a cue: the subject of the clause, as in "a dog IS ABSENT" or "a dog, however, ISN'T THERE"."""

from negjax.language import words as w
from negjax.language.negation import CUE_WORDS
from negjax.language.nominals import skip_adverbs, skip_to_noun
from negjax.language.rightward import past_place
from negjax.language.scope import Scope, concepts_of, has_content
from negjax.language.tokens import Tokens

_BORDER = w.SUBORDINATORS | w.RELATIVES | w.PUNCTUATION | CUE_WORDS | {"with", "and", "or", "nor"}
_PRONOUNS = w.PRONOUNS | w.BE
_ASIDES = w.ADVERBS | {"however", "though"}
_LONGEST_NAME = 5
_LONGEST_SUBJECT = 30


def subject_before(t: Tokens, i: int, stop: int, floor: int) -> Scope | None:
    """Read the subject of a verb that says that it is not there.

    Args:
        t: the caption.
        i: place of the verb, or of the cue where it has none.
        stop: the first word after the predicate.
        floor: the first word that no earlier cue has taken.

    Returns:
        What is denied; None where the subject is a pronoun or the picture itself.
    """
    words = t.words
    verb = end_of_subject = _verb_start(words, i, floor)
    if verb > floor + 1 and words[verb - 1] in w.RELATIVES:  # "a dog that is not visible"
        end_of_subject = verb - 1 - (words[verb - 2] == ",")
    is_plural = not w.PLURAL_BE.isdisjoint(words[verb : i + 1])
    start = end_of_subject
    joints: list[int] = []
    while start > max(floor, verb - _LONGEST_SUBJECT):
        word = words[start - 1]
        is_joint = word == "," if joints else False
        is_joint |= word in {"or", "nor"} or (word == "and" and is_plural)
        if is_joint and _is_name_before(words, start - 1, floor):
            joints.insert(0, start - 1)
        elif word in _BORDER or (verb == i and word in w.SHOWING and words[start] in w.DETERMINERS):
            break
        start -= 1
    names = []
    for begin, end in zip([start, *[joint + 1 for joint in joints]], [*joints, end_of_subject]):
        first = skip_to_noun(words, skip_adverbs(words, begin))
        if words[end - 1] == ",":
            end -= 1
        if first < end and not _is_no_name(words, begin, first, end):
            names.append((first, end))
    if not names:
        return None
    # A place after the predicate stays only where it is all that the caption has: "no dog is seen in the garden".
    end = past_place(words, stop) if has_content(words, floor, start) else stop
    return Scope(start, end, concepts_of(t, names))


def _verb_start(words: tuple[str, ...], i: int, floor: int) -> int:
    """The first word of the verb group that ends before `i`, past "however" between commas."""
    while i > floor:
        word = words[i - 1]
        if word in w.AUXILIARIES or word in w.ADVERBS or word in w.SEEMING:
            i -= 1
        elif word == "," and i - 2 > floor and words[i - 3] == "," and words[i - 2] in _ASIDES:
            i -= 3
        elif word == ":" and i - 1 > floor:  # "car: absent"
            i -= 1
        else:
            break
    return i


def _is_no_name(words: tuple[str, ...], begin: int, first: int, end: int) -> bool:
    """Whether a subject is a pronoun, or "the image"."""
    if _PRONOUNS.issuperset(words[begin:end]) or _PRONOUNS.issuperset(words[first:end]):
        return True
    return end - first == 1 and words[first] in w.PICTURES and words[begin] in w.DEFINITE


def _is_name_before(words: tuple[str, ...], i: int, floor: int) -> bool:
    """Whether the words before `i`, up to a border, are a name and no clause."""
    for length in range(1, _LONGEST_NAME + 1):
        j = i - length
        word = words[j] if j >= floor else ","
        if word in _BORDER:
            return length > 1
        if word in w.FINITE or word in w.AUXILIARIES or word in w.SHOWING or (word.endswith("ing") and length > 1):
            return False
    return False
