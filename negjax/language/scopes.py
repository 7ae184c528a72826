"""Which kind of cue a word is, and what it denies: `read_cue` looks at one cue and calls the rule for its kind."""

from functools import lru_cache
from itertools import compress, count

from negjax.language import words as w
from negjax.language.leftward import subject_before
from negjax.language.negation import CUE_WORDS, LESS, is_negative_verb
from negjax.language.nominals import (
    frame_place,
    is_clause_end,
    noun_list,
    noun_phrase,
    presence_phrase,
    presence_tail,
    skip_adverbs,
    skip_to_noun,
)
from negjax.language.rightward import PERSONS_AND_THINGS, names_after, none_of, person_after, predicate, to_clause_end
from negjax.language.scope import Scope, concepts_of
from negjax.language.tokens import Tokens

# Cues whose object belongs to the phrase before them.
_ATTACHED = w.word_set(
    """without w sans minus lacking excluding devoid void vacant bereft bare barren empty clear free negative"""
)
_ABSENT = w.word_set("absent missing excluded omitted nonexistent non-existent")
_DESERTED = w.word_set("unoccupied uninhabited unattended unmanned unpopulated")
# Cues only before another word.
_SECOND_WORDS = {
    **dict.fromkeys(("devoid", "void", "vacant", "bereft", "empty", "clear", "bare", "barren", "instead"), ("of",)),
    **dict.fromkeys(("fail", "fails", "failing"), ("to",)),
    "free": ("of", "from"),
    "negative": ("for",),  # "the X-ray is negative for pneumonia"
    "rather": ("than",),
    "w": ("/",),  # "w/o", "w/out"
    "left": ("out",),
}
_EVERYTHING = w.word_set("everything everyone everybody all every any anything anyone")
# "an empty room except for a chair" has the chair.
_EMPTINESS = w.word_set("""empty nothing no none nobody bare deserted blank alone plain naked nude clear vacant dark""")
_NOUN_STARTS = w.ARTICLES | w.POSSESSIVES | w.DEFINITE
_BEFORE_LIST = w.word_set(": - – —")
_WHAT = w.word_set("what what's thing things something item items")
_FORM = w.ADVERBS | w.BE | {"to", "have"}


_FIRST_WORDS = CUE_WORDS | _SECOND_WORDS.keys() | LESS.keys() | _DESERTED | {"leaves", "leaving", "zero", "but"}
# "hands-free" has hands.
_KEEPS_FREE = w.word_set(
    """hands duty toll tax worry stress risk hassle care scot drug cruelty rent post interest trouble error"""
)


def cue_places(words: tuple[str, ...]) -> list[int]:
    """The places where cues begin, in their order; idioms with a cue word among them."""
    return [i for i in compress(count(), map(may_begin_cue, words)) if _is_cue(words, i)]


@lru_cache(maxsize=1 << 16)
def may_begin_cue(word: str) -> bool:
    """Whether a cue can begin with a word: those of the tables, "isn't", "dog-free", "untouched" (by)."""
    if word.endswith(("-free", "-less")):
        return word[:-5] not in _KEEPS_FREE
    return word in _FIRST_WORDS or (word.startswith("un") and word.endswith("ed")) or is_negative_verb(word)


def _is_cue(words: tuple[str, ...], i: int) -> bool:
    """Whether a cue begins with word `i`, which has the form of a cue."""
    word, following = words[i], words[i + 1]
    if word in _SECOND_WORDS:
        return following in _SECOND_WORDS[word]
    if word in {"leaves", "leaving"}:
        out = next((k for k in range(i + 1, i + 5) if words[k] == "out"), 0)
        return out > 0 and (words[out + 1] != "of" or frame_place(words, out + 1) > out + 1)
    if word == "zero":
        return following.endswith("s") or following == "people"
    if word == "but":
        return i > 0 and words[i - 1] in {"everything", "everyone", "everybody"}
    if word.startswith("un") and word not in _DESERTED and word.endswith("ed"):
        return following == "by"
    return True


def read_cue(t: Tokens, i: int, floor: int) -> Scope | None:
    """Read what the cue at word `i` denies.

    Args:
        t: the caption.
        i: place of a cue, from `cue_places`.
        floor: the first word that no earlier cue has taken.

    Returns:
        What is denied; None where it can't be read.
    """
    words = t.words
    word, following = words[i], words[i + 1]
    before = words[i - 1] if i > floor else ""
    if word == "no" and following == "longer":
        return predicate(t, i, i + 2, floor)
    if word == "no" and following != "one":
        if following == "appearance" and before in {"make", "makes", "making", "made"}:  # "cars make no appearance"
            return subject_before(t, i - 1, presence_tail(words, i + 2, with_verb=False), floor)
        return names_after(t, i, i + 1, floor, attached=_is_attached(words, i, floor))
    if word in {"not", "never"} or is_negative_verb(word):
        return _not(t, i, floor)
    if word in {"no", "nobody", "no-one", "nothing"}:
        return person_after(t, i, i + (word == "no"), floor, attached=_is_attached(words, i, floor))
    if word in _DESERTED:
        return _deserted(t, i, before, floor)
    if word in LESS or word.endswith(("-free", "-less")):
        return Scope(i, i + 1, [LESS.get(word) or word[:-5]])
    if word == "nowhere":
        return _nowhere(t, i, floor)
    if word == "left" or word in _ABSENT:
        return _absent(t, i, floor)
    if word == "absence":
        return _absence(t, i, floor)
    if word.startswith("lack"):
        return _lack(t, i, before, floor)
    if word in {"except", "but"}:
        return _except(t, i, floor)
    if word in {"none", "neither"} and following == "of":
        return none_of(t, i, floor)
    if word == "none":  # "three people, none with umbrellas"; "none are visible" does not say what
        return predicate(t, i, i + 1, floor) if presence_tail(words, i + 1) == i + 1 else None
    if word in {"neither", "nor"}:
        j = i + 1
        while words[j] in w.AUXILIARIES or words[j] in w.SHOWING or words[j] in {"there", "it", "with"}:
            j += 1
        return names_after(t, i, j, floor)
    if word.startswith("fail"):
        return predicate(t, i, i + 2, floor)
    if word in {"leaves", "leaving"}:
        names, stop = noun_list(words, i + 1 + (following == "out"), articles=True)
        stop += words[stop] == "out"
        return Scope(i, presence_tail(words, stop), concepts_of(t, names)) if names else None
    if word == "w":
        return names_after(t, i, i + 3, floor, attached=True) if words[i + 2] in {"o", "out"} else None
    has_second = word in _SECOND_WORDS or word.startswith("un")
    return names_after(t, i, i + 1 + has_second, floor, attached=word in _ATTACHED or word.startswith("un"))


def _is_attached(words: tuple[str, ...], i: int, floor: int) -> bool:
    """Whether "no" at `i` belongs to the phrase before it: "with no hat", "wearing no hat", "with a bag and no hat"."""
    if i == floor:
        return False
    before = words[i - 1]
    if before == "and":
        return "with" in words[max(floor, i - 6) : i]
    return before == "with" or (before in w.HOLDING and before.endswith("ing"))


def _not(t: Tokens, i: int, floor: int) -> Scope | None:
    """ "not", "isn't", "never": the subject where the verb says that it is there, else the object or predicate."""
    words = t.words
    j = skip_adverbs(words, i + 1)
    if words[i] == "not" and words[i + 1] in {"one", "a"} and words[i + 2] not in {"", "."}:
        j = i + 1
    k = i
    while k > floor and (words[k - 1] in w.AUXILIARIES or words[k - 1] in w.ADVERBS) and "'" not in words[k - 1]:
        k -= 1
    has_verb = k < i or words[i] not in {"not", "never"}
    subject = words[k - 1] if k > floor else ""
    if subject in {"there", "there's"}:
        return names_after(t, i, j, floor)
    if words[j] == "there" and k == floor and not is_clause_end(words, j + 1):  # "isn't there a cat?"
        return names_after(t, i, j + 1, floor)
    end = _presence_end(words, j)
    if end > j and (has_verb or words[end] not in w.PREPOSITIONS):
        is_inverted = k == floor or is_clause_end(words, i - 1) or subject in _WHAT
        is_named = words[end] in w.BE and not is_clause_end(words, end + 1)
        if is_inverted and (is_named or (k == floor and words[end] in _BEFORE_LIST)):
            return names_after(t, i, end + 1, floor)  # "not visible in the image is a dog"
        if scope := subject_before(t, k, end, floor):
            return scope
    if is_clause_end(words, j):
        return subject_before(t, k, j, floor)
    done = j + (words[j] == "being")
    scope = None
    if words[done] in w.DONE and k > floor and _is_bare_subject(words, k, floor):
        scope = subject_before(t, k, presence_tail(words, done + 1, with_verb=False), floor)
    if not has_verb and words[i - 1] in {"and", "but", ","} and words[j] in w.ARTICLES:  # "a cat and not a dog sits"
        return names_after(t, i, j, floor, attached=True)
    return scope or predicate(t, i, j, floor)


def _presence_end(words: tuple[str, ...], j: int) -> int:
    """The end of "be visible in the image", "appear" or "part of the scene" after "not"; `j` where there is none."""
    k = j
    while words[k] in _FORM:
        k += 1
    word = words[k]
    if word in w.TAIL_ADVERBS and is_clause_end(words, k + 1):
        return k + 1
    if word in w.PRESENCE or word in w.APPEARING:
        after = skip_adverbs(words, k + 1)
        has_object = word in w.APPEARING and not (
            is_clause_end(words, after)
            or (words[after] in w.FRAME_PREPOSITIONS and words[after] != "to")
            or words[after] in w.TAIL_ADVERBS
        )
        if has_object or words[after : after + 2] == ("to", "be"):
            return j
        if words[after].endswith("ing") and words[after] not in w.ING_NOUNS:  # "is not seen riding"
            return j
        return presence_tail(words, k + 1, with_verb=False)
    if (end := presence_phrase(words, k)) > k:
        return presence_tail(words, end, with_verb=False)
    if words[k : k + 2] == ("part", "of"):
        end = noun_phrase(words, skip_to_noun(words, k + 2))
        return presence_tail(words, end, with_verb=False) if end > k + 2 else j
    end = frame_place(words, k)
    return presence_tail(words, end, with_verb=False) if end > k else j


def _is_bare_subject(words: tuple[str, ...], k: int, floor: int) -> bool:
    """Whether the subject before `k` is one or two words without an article: an activity, as in "soccer is played"."""
    start = max((j for j in range(max(floor, k - 3), k) if is_clause_end(words, j)), default=floor - 1) + 1
    return start < k <= start + 2 and words[start] not in w.DETERMINERS


def _nowhere(t: Tokens, i: int, floor: int) -> Scope | None:
    words = t.words
    end = presence_tail(words, i + 1) if words[i + 1] in {"to", "in", "on", "at"} else i + 1
    if words[end] in w.BE:  # "nowhere in the image is a dog"
        return names_after(t, i, end + 1, floor)
    return subject_before(t, i, end, floor)


def _absent(t: Tokens, i: int, floor: int) -> Scope | None:
    """ "X is absent", "noticeably absent is X", "missing from the scene is X", "a cake missing a slice"."""
    words = t.words
    j = i + 1 + (words[i] == "left")
    if words[j] == "," and words[j + 1] == "however" and words[j + 2] == ",":
        j += 3
    end = presence_tail(words, j, with_verb=False)
    if words[j] in {"from", "in", "on", "at"} and end == j:
        place = noun_phrase(words, skip_to_noun(words, j + 1))
        end = place if words[place] in w.BE else j
    opening = i
    while opening > floor and (words[opening - 1] in w.ADVERBS or words[opening - 1] in {"notable", "noticeable"}):
        opening -= 1
    is_inverted = (
        opening == floor or is_clause_end(words, opening - 1) or not _WHAT.isdisjoint(words[max(floor, i - 5) : i])
    )
    is_named = words[end] in w.BE and not is_clause_end(words, end + 1)
    if is_inverted and (is_named or words[end] in _BEFORE_LIST):  # "noticeably absent is a dog"
        return names_after(t, i, end + 1, floor)
    is_subject = is_clause_end(words, j) or words[j] in w.PREPOSITIONS or words[j] in w.AUXILIARIES or end > j
    # "with a slice missing sitting on a plate"
    is_subject |= words[j] in w.FINITE or (words[j].endswith("ing") and words[j] not in w.ING_NOUNS)
    if words[i] not in {"missing", "absent"} or is_subject:
        is_left_behind = words[i] == "left" and words[end] in w.PREPOSITIONS  # "left out in the rain"
        return None if is_left_behind else subject_before(t, i, end, floor)
    if i and words[i - 1] in _NOUN_STARTS and (i < 2 or words[i - 2] not in {"with", "has", "have", "having"}):
        return None  # "the missing piece" may be in the picture
    return names_after(t, i, j + (words[j] == "of"), floor, attached=True)


def _absence(t: Tokens, i: int, floor: int) -> Scope | None:
    """ "In the absence of X", "X makes a notable absence", "notable by its absence is X", "X's absence is notable"."""
    words = t.words
    if words[i + 1] == "of":
        names, stop = noun_list(words, i + 2, articles=True)
        if not names or words[stop - 1] in PERSONS_AND_THINGS:
            return names_after(t, i, i + 2, floor, attached=True)
        end = presence_tail(words, stop)
        if words[end] in w.AUXILIARIES or words[end] in w.FINITE:  # "the absence of dogs is striking"
            end = to_clause_end(words, end)
        return Scope(i, end, concepts_of(t, names))
    end = presence_tail(words, i + 1, with_verb=False)
    if i > floor and words[i - 1].endswith("'s") and words[i - 1] not in w.BE:
        return Scope(i - 1, to_clause_end(words, end), [words[i - 1].removesuffix("'s")])
    if words[end] in w.BE or words[end] in _BEFORE_LIST:  # "with one notable absence: a dog"
        return names_after(t, i, end + 1, floor)
    makes = next((k for k in range(i - 1, max(floor, i - 4), -1) if words[k] in {"makes", "make", "making"}), -1)
    return subject_before(t, makes, end, floor) if makes > floor else None


def _lack(t: Tokens, i: int, before: str, floor: int) -> Scope | None:
    words = t.words
    j = i + 1 + (words[i] == "lack" and words[i + 1] == "of")
    if words[i : i + 2] == ("lacking", "in") and presence_tail(words, j) == j:
        j += 1
    if words[i] == "lacking" and (is_clause_end(words, j) or words[j] in w.PREPOSITIONS):
        return (
            subject_before(t, i, presence_tail(words, j, with_verb=False), floor) if before in w.AUXILIARIES else None
        )
    return names_after(t, i, j, floor, attached=words[i] == "lacking")


def _except(t: Tokens, i: int, floor: int) -> Scope | None:
    """ "Everything except a dog" and "it shows cooking, except for pizza" deny; "white except for a cat" does not."""
    before = t.words[max(floor, i - 12) : i]
    if not _EMPTINESS.isdisjoint(before) or (_EVERYTHING | w.SHOWING).isdisjoint(before):
        return None
    return names_after(t, i, i + 1 + (t.words[i + 1] == "for"), floor, attached=True)


def _deserted(t: Tokens, i: int, before: str, floor: int) -> Scope | None:
    """ "The room is unoccupied" denies people; "an unoccupied bench" is left alone: it is a name of a look."""
    words = t.words
    if words[i + 1] == "by":
        return names_after(t, i, i + 2, floor, attached=True)
    end = presence_tail(words, i + 1)
    is_predicate = before not in _NOUN_STARTS and (end > i + 1 or is_clause_end(words, i + 1))
    return Scope(i, end, ["person"]) if before and is_predicate else None
