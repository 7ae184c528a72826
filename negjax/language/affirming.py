"""Cues that deny nothing where they stand: double negation, comparisons, signs, quotations, "nothing but"."""

from negjax.language import words as w
from negjax.language.idioms import idiom_at
from negjax.language.negation import is_negative_verb
from negjax.language.nominals import is_clause_end
from negjax.language.tokens import Tokens

_SIGNS = w.word_set(
    """sign signs signal signals sticker stickers symbol symbols poster posters placard notice label zone zones area
    areas lane lanes marking markings logo"""
)
# What signs forbid: "no parking sign"; "no stop sign" denies a sign.
_FORBIDDEN = w.word_set(
    """parking smoking entry entrance exit trespassing trespass swimming diving fishing littering loitering stopping
    standing turn turns u-turn u-turns outlet vacancy access admittance camping cycling biking skating
    skateboarding running walking driving passing honking hunting feeding dumping photography soliciting phones
    dogs pets bikes food u left right peddling playing texting drinking eating alcohol cellphones bicycles"""
)
_SAYING = w.word_set("""says saying say stating states reads labeled labelled written lettering marked reading means""")
_QUOTES = frozenset("\"'“‘”’")
_NEGATORS = w.word_set("not never no hardly cannot nothing nobody nor none")
# A negator before one of these affirms: "not without", "no lack of".
_DENIALS = w.word_set(
    """without lack lacks lacking lacked shortage absence devoid missing absent excluded excluding omitted
    unaccompanied dearth free nowhere"""
)
_BETWEEN = w.BE | w.ADVERBS | w.DETERMINERS | {"in", "of", "one", "thing", "single"}
_EXCEPTIONS = w.word_set("but except besides than other apart aside")
_ALL = w.word_set("all every each everyone everybody everything always both many")
_LONGEST_QUOTE = 8  # words
_SIGN_NUMBERS = w.word_set("two three four several many multiple various")
_NUMBER_MARKS = frozenset(".#")
_DEGREES = w.word_set("so better as too")
_NEGATIVE_VERBS = w.word_set(
    """isn't aren't wasn't weren't don't doesn't didn't hasn't haven't can't couldn't won't cannot"""
)
# Where none of these is near a cue, it may deny.
_ALERTS_BEFORE = _NEGATORS | _NEGATIVE_VERBS | _SAYING | _QUOTES
_ALERTS_AFTER = _DENIALS | (_EXCEPTIONS - {"but"}) | _SIGNS | _QUOTES | {"allowed"}
_ALERTS_NEXT = _ALL | {"the", "to", "be", "but", "one", "else"}
_ALERTING_CUES = frozenset(("never", "nothing", "missing"))


def why_inert(t: Tokens, i: int) -> str:
    """Why the cue at word `i` denies nothing; empty where it may deny something.

    Args:
        t: the caption.
        i: place of the cue.

    Returns:
        A remark for users.
    """
    words = t.words
    if idiom := idiom_at(words, i):
        return f"idiom: {' '.join(idiom)!r}"
    word, before, after = words[i], words[max(0, i - _LONGEST_QUOTE) : i], words[i + 1 : i + 1 + _LONGEST_QUOTE]
    if after[0].isdigit() or (after[0] in _NUMBER_MARKS and after[1].isdigit()):
        return f"{word!r} belongs to a number"
    is_calm = _ALERTS_BEFORE.isdisjoint(before) and _ALERTS_AFTER.isdisjoint(after)
    if is_calm and after[0] not in _ALERTS_NEXT and word not in _ALERTING_CUES:  # a quick end for most cues
        return ""
    return (
        _double_negation(words, i)
        or _comparison(words, i)
        or ("what a sign, text or rule says" if _is_quoted(t, i) or _is_on_sign(words, i) else "")
        or (f"{word!r} with an exception affirms" if _is_exception(words, i) else "")
        or (f"'not {after[0]}' does not deny all" if word == "not" and after[0] in _ALL else "")
    )


def _comparison(words: tuple[str, ...], i: int) -> str:
    """ "not the best", "isn't much bigger than", "nothing as soft as", "not to", and "swinging and missing"."""
    word, following = words[i], words[i + 1]
    if word == "not" and following == "to" and words[i + 2] not in w.BE:
        return "'not to' forbids or avoids"
    if word == "missing" and i > 1 and words[i - 1] == "and" and words[i - 2].endswith("ing"):
        return "'missing' is an activity"
    j = i + 1 + (following == "be")
    is_negator = word in {"no", "not"} or is_negative_verb(word)
    if (
        (is_negator and words[j] == "the" and words[j + 1].endswith("est"))
        or (is_negator and "than" in words[i + 2 : i + 6])
        or (word == "never" and not _DEGREES.isdisjoint(words[i + 2 : i + 4]))
        or (word == "nothing" and "as" in words[i + 2 : i + 6])
    ):
        return f"{word!r} belongs to a comparison"
    return ""


def _double_negation(words: tuple[str, ...], i: int) -> str:
    """A negator with a denial right after it ("not without", "no lack of") or right before it."""
    word = words[i]
    if word in _NEGATORS or is_negative_verb(word):
        j = i + 1
        while words[j] in _BETWEEN and j < i + 4:
            j += 1
        is_denial = words[j] in _DENIALS and not (words[j] == "free" and words[j + 1] not in {"of", "from"})
        if is_denial and not (word in {"nobody", "nothing"} and words[j] == "nowhere"):
            return f"double negation: '{word} {words[j]}'"
    if word == "no":  # "no tile is missing"
        for k in range(i + 2, i + 5):
            if words[k] in w.BE and words[k + 1] in _DENIALS and words[k + 2] != "of":
                return f"double negation: 'no ... {words[k + 1]}'"
    if word in _DENIALS:
        j = i - 1
        while j > 0 and words[j] in _BETWEEN and j > i - 4:
            j -= 1
        if j >= 0 and (words[j] in _NEGATORS or is_negative_verb(words[j])):
            return f"double negation: '{words[j]} {word}'"
        # "no tile is missing"
        if j > 0 and words[j + 1] in w.BE and words[j - 1] in {"no", "not", "single"}:
            return f"double negation: '{words[j - 1]} {words[j]} ... {word}'"
    return ""


def _is_exception(words: tuple[str, ...], i: int) -> bool:
    """ "nothing but a chair", "no one except a man", "no objects other than a cup": the chair is there."""
    word = words[i]
    is_nobody = word in {"nothing", "nobody", "none", "no-one"} or words[i : i + 2] == ("no", "one")
    if not is_nobody and word != "no":
        return False
    j = i + 1 + (words[i : i + 2] == ("no", "one"))
    j += words[j] in {"else", "more"}
    if is_nobody and words[j] == "but":
        return True
    if _EXCEPTIONS.isdisjoint(words[j : j + 5]):
        return False
    for k in range(j, j + 5):
        if words[k] in w.PUNCTUATION or not words[k]:
            return False
        if (
            words[k] in {"except", "besides"}
            or (words[k] == "than" and "other" in words[j:k])
            or words[k : k + 2] in {("other", "than"), ("apart", "from"), ("aside", "from")}
        ):
            return True
        if words[k] == "but":
            rest = words[k + 1 : k + 3]
            is_name = (rest[0] in w.ARTICLES and words[k + 3] not in w.AUXILIARIES) or is_clause_end(words, k + 2)
            return word == "nothing" and is_name
    return False


def _is_quoted(t: Tokens, i: int) -> bool:
    """Whether word `i` is inside short quotation marks, other than those around the whole caption."""
    first = max(1, i - _LONGEST_QUOTE)
    if '"' not in t.words[first:i] or '"' not in t.words[i : i + _LONGEST_QUOTE]:
        return False
    opening = next(k for k in range(i - 1, first - 1, -1) if t.words[k] == '"')
    if t.words.index('"', i) - opening > _LONGEST_QUOTE:
        return False
    return t.pieces[2 * opening] != "" and t.pieces[2 * opening + 2] == ""


def _is_on_sign(words: tuple[str, ...], i: int) -> bool:
    """ "a no parking sign", "a sign that says no dogs", 'a shirt with "no fear" on it', "no dogs allowed"."""
    before = words[i - 1] if i else ""
    if before in {"do", "that"} and words[i - 2] in _SAYING:
        return True
    if before in _SAYING:
        return before != "reading" or (i > 1 and words[i - 2] in _SIGNS)
    if before in _QUOTES and i > 1 and (words[i - 2] in _SAYING or not _QUOTES.isdisjoint(words[i + 1 : i + 6])):
        return True
    if words[i] == "missing":  # "a missing dog poster"
        return not _SIGNS.isdisjoint(words[i + 1 : i + 4])
    if words[i] not in {"no", "do", "don't", "not"}:
        return False
    if words[i] == "no" and "allowed" in words[i + 2 : i + 6]:
        return True
    sign = next((k for k in range(i + 1, i + 6) if words[k] in _SIGNS), 0)
    if not sign or any(word in w.PUNCTUATION and word not in _QUOTES | {"-", "/"} for word in words[i:sign]):
        return False
    is_named = before in w.DETERMINERS or before in _SIGN_NUMBERS or before in w.LOOKS
    return is_named or words[i + 1] in _FORBIDDEN
