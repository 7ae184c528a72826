"""Scopes to the right of a cue: names ("NO cat is visible"), persons ("NOBODY sits"), predicates ("NOT running")."""

from negjax.language import words as w
from negjax.language.nominals import (
    Range,
    frame_place,
    is_clause_end,
    is_stop,
    noun_list,
    noun_phrase,
    presence_tail,
    pronoun_place,
    skip_to_noun,
)
from negjax.language.scope import Scope, bare_name, concepts_of, has_content
from negjax.language.tokens import Tokens

PERSONS_AND_THINGS = {
    "anyone": "person", "anybody": "person", "someone": "person", "one": "person", "nobody": "person", "soul": "person",
    "no-one": "person", "anything": "objects", "nothing": "objects",
}  # fmt: skip
# "not able to", "don't expect to"
_LOOSE_VERBS = w.word_set("to able expect likely going supposed")
_PARTICLES = w.word_set("up down off out away over")


def names_after(t: Tokens, i: int, j: int, floor: int, *, attached: bool = False) -> Scope | None:
    """Read the names that a cue denies, or the activity where it is followed by one.

    Args:
        t: the caption.
        i: place of the cue, where the cut begins.
        j: the first word after the cue.
        floor: the first word that no earlier cue has taken.
        attached: whether the cue belongs to the phrase before it, which may go on after the names ("a man WITHOUT a
            hat rides"), instead of opening a clause ("there is NO hat").

    Returns:
        What is denied; None where nothing that can be read follows.
    """
    words = t.words
    while (
        words[j] in w.BE
        or words[j] in w.SEEMING
        or words[j] == "to"
        or ((words[j] in w.HOLDING or words[j] in w.SHOWING) and not is_stop(words[j + 1]))
    ):
        j += 1
    if words[skip_to_noun(words, j)] == "soul":
        j = skip_to_noun(words, j)
    if words[j] in PERSONS_AND_THINGS and (
        is_stop(words[j + 1]) or words[j + 1] == "else" or words[j + 1].endswith("ing")
    ):
        return person_after(t, i, j, floor, attached=attached)
    start = skip_to_noun(words, j)
    is_activity = words[start].endswith("ing") and words[start] not in w.ING_NOUNS
    after = words[start + 1]
    is_activity &= after in w.DETERMINERS or (after in w.PREPOSITIONS and frame_place(words, start + 1) == start + 1)
    if is_activity:
        return activity(t, i, start, floor)
    content = has_content(words, floor, i)
    # A comma before "with no" opens a clause of its own.
    attached = attached and content and not (words[i - 1] == "with" and words[i - 2] == ",")
    names, stop = noun_list(words, j, articles=words[i] != "no")
    if not names:
        return activity(t, i, start, floor)
    return _after_names(t, i, names, stop, attached=attached, content=content)


def _after_names(t: Tokens, i: int, names: list[Range], stop: int, *, attached: bool, content: bool) -> Scope:
    """The scope of names that end at `stop`, with those that are named as examples."""
    words = t.words
    concepts = concepts_of(t, names)
    # "no vehicle, including a car"
    end = presence_tail(words, stop, with_verb=not attached)
    naming = end + (words[end] == ",")
    if words[naming] in {"including", "like"} or words[naming : naming + 2] == ("such", "as"):
        more, after = noun_list(words, naming + 1 + (words[naming] == "such"), articles=True)
        if more:
            return Scope(i, presence_tail(words, after), concepts + concepts_of(t, more))
    return _with_predicate(t, i, concepts, stop, end, attached=attached, content=content)


def _with_predicate(
    t: Tokens, i: int, concepts: list[str], stop: int, end: int, *, attached: bool, content: bool
) -> Scope:
    """How far a scope goes after its names, and what of it belongs to the last concept: a predicate or a place.

    Args:
        t: the caption.
        i: where the cut begins.
        concepts: the denied names.
        stop: the first word after them.
        end: the first word after what says that they are there.
        attached: as in `names_after`.
        content: whether the caption has content before the cut.
    """
    words = t.words
    k = end
    if words[end] == "to" and not attached:  # "no chair to sit on"
        return Scope(i, to_clause_end(words, end), concepts)
    if is_clause_end(words, end) or (end > stop and (attached or words[end] not in w.AUXILIARIES)):
        return Scope(i, past_place(words, end) if content and not attached else end, concepts)
    if attached and words[k] in w.PREPOSITIONS:
        return Scope(i, max(noun_phrase(words, k + 2), k) if words[k + 1] in w.POSSESSIVES else k, concepts)
    parts = [concepts[-1]]
    place = past_place(words, k)
    if place > k and words[place] in w.AUXILIARIES:  # "no one in the crowd is smiling"
        parts.append(t.slice(k, place))
        k = end = place
        if (after := presence_tail(words, k)) > k:
            return Scope(i, after, [*concepts[:-1], " ".join(parts)])
    while not attached and (words[k] in w.AUXILIARIES or words[k] in w.ADVERBS):
        k += 1
    word = words[k]
    is_person = words[stop - 1] in PERSONS_AND_THINGS
    is_action = k > end or word.endswith(("ing", "ed")) or word in w.FINITE or word in w.PLURAL_FINITE or is_person
    tail = k
    if is_action and not is_stop(word):
        goes_on = not is_person and words[stop - 1] not in w.ACTORS and not is_clause_end(words, k + 1)
        if not attached or not (goes_on or word in w.FINITE or word in w.PLURAL_FINITE):
            tail = predicate_end(words, k, content=content, attached=attached)
    elif word in w.PREPOSITIONS:
        tail = max(k, place_end(words, k, content=content))
        if len(concepts) > 1:
            return Scope(i, tail, concepts)
    elif word in {"who", "that"} and not attached:
        tail = to_clause_end(words, k)
    elif k > end:
        end = k
    if tail > k:
        return Scope(i, presence_tail(words, tail), [*concepts[:-1], " ".join([*parts, t.slice(k, tail)])])
    return Scope(i, k if word in w.PREPOSITIONS else end, concepts)


def place_end(words: tuple[str, ...], i: int, *, content: bool) -> int:
    """The end of a place that belongs to a denied thing; `i` where the place is there although the thing is not.

    "No cars on THE street" has the street, if the caption has nothing else; "no people on A bench" may have no bench.
    """
    j = i
    while words[j] in w.PREPOSITIONS or words[j] == "of":
        j += 1
    if words[j] in w.DEFINITE and not content:
        return i
    start = skip_to_noun(words, j)
    stop = noun_phrase(words, start)
    return stop if stop > start else i


def past_place(words: tuple[str, ...], i: int) -> int:
    """The end of a place at `i`, where there is one."""
    return max(i, place_end(words, i, content=True)) if words[i] in w.PREPOSITIONS else i


def predicate_end(words: tuple[str, ...], i: int, *, content: bool, attached: bool = False) -> int:
    """The end of a verb or adjective at `i` with its object, or else with the place after it."""
    j = i + 1
    while words[j] in w.ADVERBS or (words[j] in _PARTICLES and pronoun_place(words, j) == j):
        j += 1
    start = skip_to_noun(words, j)
    stop = noun_phrase(words, start)
    if stop > start:  # "not used" has no object
        is_object = not words[i].endswith("ed") or words[start] in w.LOOKS
        return stop if is_object and words[start] not in w.FINITE else j
    if words[j] == "of":  # "afraid of the dog"
        return max(j, place_end(words, j, content=True))
    if words[j] not in w.PREPOSITIONS and words[j] != "to":
        return j
    if frame_place(words, j) > j or pronoun_place(words, j) > j:
        return j
    if is_clause_end(words, j + 1):
        return j + 1
    return j if attached and words[j + 1] in w.DEFINITE else max(place_end(words, j, content=content), j)


def person_after(t: Tokens, i: int, at: int, floor: int, *, attached: bool = False) -> Scope:
    """Read "nobody", "no one", "nothing" and "without anyone": a person or objects, and what they would do.

    Args:
        t: the caption.
        i: place of the cue.
        at: place of the last word of the pronoun ("one" in "no one").
        floor: the first word that no earlier cue has taken.
        attached: as in `names_after`.
    """
    words = t.words
    name = PERSONS_AND_THINGS[words[at]]
    stop = at + 1 + (words[at + 1] == "else")
    content = has_content(words, floor, i)
    attached = attached and content
    end = presence_tail(words, stop, with_verb=not attached)
    return _with_predicate(t, i, [name], stop, end, attached=attached, content=content)


def none_of(t: Tokens, i: int, floor: int) -> Scope | None:
    """ "None of the men wear hats": the men are there, the hats are not; "none of the men is visible" denies men."""
    words = t.words
    j = i + 2
    start = skip_to_noun(words, j)
    is_pronoun = words[start] in w.PERSONAL or words[start] in w.RELATIVES
    stop = start + 1 if is_pronoun else noun_phrase(words, start)
    if words[i + 1] != "of" or stop == start:
        return None
    end = presence_tail(words, stop)
    if (end > stop and words[end] not in w.AUXILIARIES) or is_clause_end(words, end):
        return None if is_pronoun else Scope(i, end, concepts_of(t, [(start, stop)]))
    scope = predicate(t, i, end, floor)
    if scope and not is_pronoun and not has_content(words, floor, i):
        scope.kept = (j, stop)
    return scope


def predicate(t: Tokens, i: int, j: int, floor: int) -> Scope | None:
    """Read what follows "not": the object of a verb that only says that something is there, else verb or adjective.

    Args:
        t: the caption.
        i: where the cut begins.
        j: the first word of the predicate, or its auxiliary verbs.
        floor: the first word that no earlier cue has taken.
    """
    words = t.words
    start = j
    while words[j] in w.AUXILIARIES or words[j] in w.SEEMING or words[j] in w.ADVERBS or words[j] in _LOOSE_VERBS:
        j += 1
    word = words[j]
    if words[j : j + 3] == ("look", "like", "there"):
        return names_after(t, i, j + 3, floor)
    if word in w.SHOWING or word in w.HOLDING:
        k = presence_tail(words, j + 1, with_verb=False)
        k = k + 1 if words[k] in w.BE else j + 1  # "what you won't see in this image is a dog"
        if scope := names_after(t, i, k, floor):
            return scope
    if word in w.PREPOSITIONS or word == "of":
        names, stop = noun_list(words, j + 1, articles=True)
        return Scope(i, presence_tail(words, stop, with_verb=False), concepts_of(t, names)) if names else None
    if word in w.DETERMINERS or word in PERSONS_AND_THINGS:
        return names_after(t, i, j, floor)
    has_verb = words[i - 1] in w.AUXILIARIES if i > floor else False
    if word.endswith(("ing", "ed")) or j > start or has_verb or words[i] != "not":
        return activity(t, i, j, floor)
    names, stop = noun_list(words, j, articles=True)
    return _after_names(t, i, names, stop, attached=False, content=has_content(words, floor, i)) if names else None


def activity(t: Tokens, i: int, j: int, floor: int) -> Scope | None:
    """Read a verb with its object or place, or an adjective: "riding a horse", "sitting on a bench", "open"."""
    words = t.words
    if is_stop(words[j]) and words[j] not in w.PRESENCE:
        return None
    content = has_content(words, floor, i)
    stop = predicate_end(words, j, content=content)
    concepts = [bare_name(t, j, stop)]
    while words[stop] in {"or", "nor"} and (not is_stop(words[stop + 1]) or words[stop + 1] in w.SHOWING):
        # "does not flip or have a screen"
        j = skip_to_noun(words, stop + 1 + (words[stop + 1] in w.SHOWING))
        stop = predicate_end(words, j, content=content)
        concepts.append(t.slice(j, stop))
    return Scope(i, presence_tail(words, stop, with_verb=False), concepts)


def to_clause_end(words: tuple[str, ...], i: int) -> int:
    """The end of the clause."""
    while not is_clause_end(words, i):
        i += 1
    return i
