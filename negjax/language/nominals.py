"""Noun phrases, their lists, and what follows them, found by closed classes of words.

All functions take a tuple of words as in `tokens.Tokens`, and return places in it.
"""

from functools import lru_cache

from negjax.language import words as w
from negjax.language.negation import CUE_WORDS, is_negative_verb

_STOP = (
    w.PUNCTUATION | w.COORDINATORS | w.SUBORDINATORS | w.RELATIVES | w.PREPOSITIONS | w.AUXILIARIES | w.PRESENCE
    | w.PERSONAL | (w.APPEARING - {"feature", "features", "figure", "figures"}) | CUE_WORDS
    | {"to", "", "whatsoever", "either", "nearby", "anywhere", "else", "anymore"}
)  # fmt: skip
_BEFORE_NOUN = w.ARTICLES | w.DEFINITE | w.POSSESSIVES
_PHRASE_STARTS = w.PRESENCE_PHRASES.keys() - w.ARTICLES - {"part"}
_CLAUSE_ENDS = w.PUNCTUATION | w.COORDINATORS | w.SUBORDINATORS | {""}
_JOINING = {"and", "or", "nor", "&", "/"}
_LONGEST_LISTED_NAME = 4
_LONGEST_LIST = 20
Range = tuple[int, int]


@lru_cache(maxsize=1 << 16)
def is_stop(word: str) -> bool:
    """Whether a word can't stand inside a noun phrase."""
    return word in _STOP or not word[0].isalnum() or is_negative_verb(word)


def skip_to_noun(words: tuple[str, ...], i: int) -> int:
    """Skip articles, quantities and "sign of" before a name."""
    while True:
        word = words[i]
        if (words[i + 1] in {"of", "for"} and (word in w.SIGNS_OF or word in w.PICTURES)) or (
            words[i + 1] == "of" and word in w.DETERMINERS
        ):  # "a photo of a cat"
            i += 2
        elif (word in w.SKIPPED_BEFORE_NOUN or word in w.ADVERBS) and not (is_stop(words[i + 1]) and word in w.PERSONS):
            i += 1
        else:
            return i


def noun_phrase(words: tuple[str, ...], i: int) -> int:
    """The end of the noun phrase whose name begins at `i` (after `skip_to_noun`); `i` where there is none."""
    j = i
    while True:
        word = words[j]
        if word == "of":
            if j == i:
                return j
            j = skip_to_noun(words, j + 1)
            if is_stop(words[j]):
                return j
            continue
        if is_stop(word) or (j > i and _is_verb(words, j)):
            return j
        if j > i and word in _BEFORE_NOUN:  # "no person occupies THIS room": what precedes another noun is a verb
            return max(j - 1, i + 1)
        if word == "black" and words[j + 1 : j + 3] == ("and", "white"):
            j += 2
        j += 1


def _is_verb(words: tuple[str, ...], j: int) -> bool:
    """Whether the word after a noun is a verb: "a hat RIDES", "no shirt RIDING", "no people SIT"."""
    word = words[j]
    if word.endswith("ing"):
        return word not in w.ING_NOUNS
    if word in w.FINITE:
        return word not in w.SHOWING or not is_clause_end(words, j + 1)  # "no notable features"
    before = words[j - 1]
    return word in w.PLURAL_FINITE and (before.endswith("s") or before in w.PERSONS or before in w.ACTORS)


def frame_place(words: tuple[str, ...], i: int) -> int:
    """The end of a phrase such as "in the image" or "on the left of the picture" at `i`; `i` where there is none."""
    if words[i] not in w.FRAME_PREPOSITIONS and words[i] != "of":
        return i
    j = i + 1
    if words[j] in w.DEFINITE:  # "in this rainy street scene"
        for k in range(j + 1, j + 4):
            if words[k] in w.PICTURES and is_stop(words[k + 1]) and words[k + 1] != "of":
                return k + 1
            if is_stop(words[k]):
                break
    while words[j] in w.FRAME_ADJECTIVES or (words[j] in w.PLACES and words[j + 1] in w.PLACES):
        j += 1
    if words[j] in w.PERSONAL and is_stop(words[j + 1]):
        return j + 1
    if words[j] in w.PLACES and (is_stop(words[j + 1]) or words[j + 1] == "of"):
        j += 1
        if words[j] == "of":
            return frame_place(words, j) if frame_place(words, j) > j else i
        return j
    if words[j] in {"this", "it"} and is_stop(words[j + 1]):
        return j + 1
    return i


def pronoun_place(words: tuple[str, ...], i: int) -> int:
    """The end of a phrase such as "on it" or "near them" at `i`; `i` where there is none."""
    if words[i] not in w.PREPOSITIONS:
        return i
    j = i + 2 if words[i : i + 2] in {("next", "to"), ("inside", "of"), ("outside", "of")} else i + 1
    return j + 1 if words[j] in w.PERSONAL and (words[j] != "her" or is_stop(words[j + 1])) else i


def presence_tail(words: tuple[str, ...], i: int, *, with_verb: bool = True) -> int:
    """The end of what only says that a thing is to be seen: "is visible in the image", "in sight", "to be found".

    Args:
        words: of a caption.
        i: the first word after a noun phrase.
        with_verb: whether the noun phrase is the subject of the clause, so that a verb may follow.

    Returns:
        The first place after the tail; `i` where there is none.
    """
    j = i
    while True:
        k = skip_adverbs(words, j) if words[j] in w.ADVERBS else j
        word = words[k]
        if word in _CLAUSE_ENDS:
            return j
        if word in w.TAIL_ADVERBS or (word in w.PRESENCE and not (word == "there" and words[k + 1] in w.BE)):
            j = k + 1
        elif word == "at" and words[k + 1] == "all":
            j = k + 2
        elif word == "on" and (
            is_clause_end(words, k + 1) or words[k + 1].endswith("ing") or words[k + 1] in w.AUXILIARIES
        ):  # "no shirt on"
            j = k + 1
        elif (end := frame_place(words, k)) > k or (end := pronoun_place(words, k)) > k:
            j = end
        elif (
            word in w.AUXILIARIES or word in w.SEEMING or word == "to" or word in w.APPEARING or word in _PHRASE_STARTS
        ):
            if not with_verb and word not in {"to", "being"}:
                return j
            end = _presence_predicate(words, k)
            if end == k:
                return j
            j = end
        else:
            return j


def _presence_predicate(words: tuple[str, ...], i: int) -> int:
    j = i
    while words[j] in w.AUXILIARIES or words[j] in w.SEEMING or words[j] in w.ADVERBS or words[j] == "to":
        j += 1
    if words[j] in w.PRESENCE or words[j] in w.APPEARING:
        # "is seen riding a horse" says more than that it is there.
        return j + 1 if not _goes_on(words, j + 1) else i
    if (end := presence_phrase(words, j)) > j:
        return end
    if (end := frame_place(words, j)) > j:
        return end
    if words[j] in w.TAIL_ADVERBS and j > i:
        return j + 1
    is_appearance = any(word in w.APPEARING or word in w.SEEMING for word in words[i:j])
    return j if is_appearance and (is_clause_end(words, j) or words[j] in w.PREPOSITIONS) else i


def presence_phrase(words: tuple[str, ...], i: int) -> int:
    """The end of an idiom such as "make an appearance" at `i`; `i` where there is none."""
    return next(
        (i + len(phrase) for phrase in w.PRESENCE_PHRASES.get(words[i], ()) if words[i : i + len(phrase)] == phrase), i
    )


def _goes_on(words: tuple[str, ...], j: int) -> bool:
    return words[j].endswith("ing") and words[j] not in w.ING_NOUNS


def skip_adverbs(words: tuple[str, ...], i: int) -> int:
    """Skip adverbs, as in "is NOTICEABLY absent"."""
    while words[i] in w.ADVERBS:
        i += 1
    return i


def is_clause_end(words: tuple[str, ...], i: int) -> bool:
    """Whether a clause ends before word `i`."""
    return words[i] in _CLAUSE_ENDS


def noun_list(words: tuple[str, ...], i: int, *, articles: bool) -> tuple[list[Range], int]:
    """The names of a list that begins at `i`: "cats or dogs", "a cat, a dog or a bird".

    Args:
        words: of a caption.
        i: the first word after the cue.
        articles: whether a name after "and" may have an article: "without a cat and a dog" denies both, in "no cat
            and a dog" the dog is there.

    Returns:
        The range of each name without its article, and the first place after the list; no names where none begins.
    """
    start = skip_to_noun(words, i)
    stop = noun_phrase(words, start)
    if stop == start:
        return [], start
    names = [(start, stop)]
    while True:
        more, end = _next_names(words, stop, start, articles=articles)
        if not more:
            return names, stop
        names += more
        stop = end


def _next_names(words: tuple[str, ...], i: int, first: int, *, articles: bool) -> tuple[list[Range], int]:
    """The names that go on a list at `i`, which begins at `first`."""
    comma = words[i] == ","
    joint = i + comma
    if words[joint] in _JOINING:
        name = _listed_name(words, joint + 1, first, articles)
        return ([name], name[1]) if name else ([], i)
    if not comma:
        return [], i
    # A comma goes on with a list only if "or" or "and" ends it: "no cats, dogs or birds", not "no cats, dogs run".
    names: list[Range] = []
    j = i
    while words[j] == "," and words[j + 1] not in _JOINING and len(names) < _LONGEST_LIST:
        name = _listed_name(words, j + 1, first, articles)
        if not name:
            return [], i
        names.append(name)
        j = name[1]
    j += words[j] == ","
    if words[j] not in _JOINING:
        return [], i
    last = _listed_name(words, j + 1, first, articles)
    if not last or (words[j] == "and" and not _ends_list(words, last[1])):
        return [], i
    return [*names, last], last[1]


def _listed_name(words: tuple[str, ...], i: int, first: int, articles: bool) -> Range | None:
    """The name after a comma or "and" at `i - 1`, if it goes on with the list that begins at `first`."""
    joint, word = words[i - 1], words[i]
    if word in CUE_WORDS:
        return None
    if joint in {"or", "nor"}:
        while words[i] in w.AUXILIARIES or words[i] in w.SHOWING or words[i] in {"with", "there"}:
            i += 1
    elif word in w.PRONOUNS or word in w.FINITE or word in w.SHOWING:
        return None
    start = skip_to_noun(words, i)
    stop = noun_phrase(words, start)
    # "no shirt and riding a wave": not a list of activities such as "no talking or singing".
    is_activity = words[start].endswith("ing") and words[start] not in w.ING_NOUNS
    if stop == start or (is_activity and not words[first].endswith("ing")):
        return None
    if joint in {"or", "nor"}:
        return start, stop
    has_article = word in w.DETERMINERS and word not in {"any", "other", "another"}
    if stop - start > _LONGEST_LISTED_NAME or (has_article and not (articles and _ends_list(words, stop))):
        return None
    # "no cars are seen and people walk": a verb after the name makes it a clause of its own.
    return None if joint == "and" and _starts_predicate(words, stop) else (start, stop)


def _ends_list(words: tuple[str, ...], i: int) -> bool:
    return is_clause_end(words, i) or presence_tail(words, i) > i


def _starts_predicate(words: tuple[str, ...], i: int) -> bool:
    word = words[i]
    is_verb = word in w.AUXILIARIES or word in w.FINITE or word in w.PLURAL_FINITE
    return is_verb and presence_tail(words, i) == i
