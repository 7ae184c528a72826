"""What holds a cue word and denies nothing: idioms, what signs forbid, "nothing but", and double negation."""

from collections import defaultdict

from negjax.language import words as w
from negjax.language.negation import is_negative_verb
from negjax.language.tokens import Tokens

# Phrases with a cue word that deny nothing.
_IDIOMS = """
no doubt|no wonder|no matter|no problem|no problems|no idea|no less|no fewer|no more than|no bigger|no smaller
no larger|no taller|no better|no worse|no way|no end|no avail|no comment|no big deal|no ordinary|no mere|no stranger
no sooner|no frills|no nonsense|no brainer|no man's land|no name|no joke|no fun|no exception|no limit|no limits
no time|no rush|no hurry|no rules|no offense|no longer than|no intention|no interest|no effort|no reason
no apparent reason|no chance|no choice|no regard|no fear|no good|no use|in no particular order|in no time|in no way
by no means|yes or no|no other than|under no circumstances|in no position|no holds barred|no strings attached
nothing more|nothing less|nothing short|nothing special|nothing fancy|nothing new|nothing wrong|nothing like
nothing much|nothing compares|nothing beats|nothing better|nothing to do|nothing to lose|into nothing|for nothing
from nothing|about nothing|than nothing|to nothing|none other|none too|none the less|next to nothing|middle of nowhere
out of nowhere|nowhere near|nowhere to go|nowhere fast|nowhere else|nowhere to sit|nowhere to hide|not only|not just
not merely|not simply|not solely|not alone in|not to mention|not far|not too far|not so far|not that far|not long
not least|not surprisingly|not necessarily|not bad|not sure|not certain|not unlike|not unusual|not uncommon
not clear who|not clear what|not clear if|not clear whether|not clear that|not known who|not the only|not the best
not the first|not the same|not a moment|why not|whether or not|if not|or not|than not|believe it or not|not much of a
as not to|not so much|not to be confused|not be confused|not be missed|not one of|not being one|with and without
with or without|can't wait|can't help|can't believe|can't stop|can't get enough|can't decide|can't go wrong
can't be beat|can't beat|can't resist|can't imagine|can't miss|can't be missed|can't seem to get enough|can't keep
can't quite|couldn't be happier|couldn't be better|couldn't wait|couldn't help|couldn't resist|couldn't believe
don't worry|don't forget|don't miss|don't care|don't mind|don't know|don't stop|don't walk|don't enter|don't disturb
don't cross|don't try|doesn't matter|doesn't mind|doesn't care|didn't matter|wouldn't mind|don't let|don't ask
isn't it|isn't he|isn't she|isn't that|aren't they|aren't you|doesn't it|don't you|won't you|wouldn't you|never mind
never ending|never before|never fails|never fail|never gets old|never too|never so|keeps missing|keep missing
just missing|barely missing|almost missing|narrowly missing|after missing|is missing you|missing person
missing persons|missing child|missing link|missing poster|missing dog poster|missing cat poster|missing pet
free of charge|steer clear of|stay clear of|stays clear of|keep clear of|stand clear of|lack of interest|lack of sleep
without further|without doubt|without question|without fail|without delay|without incident|absent minded|minus sign
minus degrees|temperature minus
"""
# Negative verbs that share the idioms of another.
_VARIANTS = {
    "can't": ("cannot", "cant", "won't"),
    "don't": ("dont", "didn't"),
    "doesn't": ("doesnt", "didn't"),
    "isn't": ("isnt", "wasn't"),
}
# "hands-free" has hands.
_KEEPS_FREE = w.word_set(
    """hands duty toll tax worry stress risk hassle care scot drug cruelty rent post interest trouble error"""
)
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


def _by_first_pair() -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """All idioms by their first two words."""
    table: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for phrase in _IDIOMS.replace("\n", "|").split("|"):
        words = tuple(phrase.split())
        for first in words[:1] and (words[0], *_VARIANTS.get(words[0], ())):
            table[first, words[1]].append((first, *words[1:]))
        if words and words[0] in {"can't", "don't", "doesn't"}:  # "can not wait", "do not enter"
            first = words[0].removesuffix("n't").replace("ca", "can")
            table[first, "not"].append((first, "not", *words[1:]))
    return dict(table)


_TABLE = _by_first_pair()
_LONGEST_BEFORE_CUE = 3  # as in "believe it or not"


def idiom_at(words: tuple[str, ...], i: int) -> tuple[str, ...]:
    """The idiom that holds word `i`; empty where there is none."""
    for start in range(max(0, i - _LONGEST_BEFORE_CUE), i + 1):
        for idiom in _TABLE.get(words[start : start + 2], ()):
            if words[start : start + len(idiom)] == idiom and start + len(idiom) > i:
                return idiom
    return ()


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
    word, following = words[i], words[i + 1]
    before = words[i - 1] if i else ""
    if word == "no" and (following.isdigit() or (following in ".#" and words[i + 2].isdigit()) or following == ","):
        return "'no' stands for a number or an answer"
    if word == "minus" and following.isdigit():
        return "'minus' belongs to a number"
    if word == "not" and following in _ALL:
        return f"'not {following}' does not deny all"
    if word == "not" and following == "to" and words[i + 2] not in w.BE:
        return "'not to' forbids or avoids"
    if word in {"not", "isn't"}:
        j = i + 1 + (following == "be")
        if words[j] == "the" and words[j + 1].endswith("est"):
            return f"{word!r} belongs to a comparison"
    if word == "never" and any(other in {"so", "better", "as", "too"} for other in words[i + 2 : i + 4]):
        return "'never' belongs to a comparison"
    if (
        "than" in words[i + 2 : i + 6]
        and words[i + 1 : i + 2] != ("other",)
        and (word in {"no", "not"} or word[-2:] == "'t")
    ):
        return f"{word!r} belongs to a comparison"
    if word == "nothing" and "as" in words[i + 2 : i + 6]:
        return "'nothing' belongs to a comparison"
    if word == "no" and "allowed" in words[i + 2 : i + 6]:
        return "what a rule forbids"
    if word == "missing" and before == "and" and words[i - 2].endswith("ing"):
        return "'missing' is an activity"
    if word.endswith("-free") and word.removesuffix("-free") in _KEEPS_FREE:
        return f"{word!r} denies nothing to be seen"
    if double := _double_negation(words, i):
        return double
    if _is_exception(words, i):
        return f"{word!r} with an exception affirms"
    return "what a sign or text says" if _is_quoted(t, i) or _is_on_sign(words, i, before) else ""


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
            return word == "nothing" and rest[0] in w.ARTICLES and words[k + 3] not in w.AUXILIARIES
    return False


def _is_quoted(t: Tokens, i: int) -> bool:
    """Whether word `i` is inside short quotation marks, other than those around the whole caption."""
    first = max(1, i - _LONGEST_QUOTE)
    if '"' not in t.words[first:i] or '"' not in t.words[i : i + _LONGEST_QUOTE]:
        return False
    opening = next(k for k in range(i - 1, first - 1, -1) if t.words[k] == '"')
    return t.pieces[2 * opening] != "" and t.pieces[2 * opening + 2] == ""


def _is_on_sign(words: tuple[str, ...], i: int, before: str) -> bool:
    """ "a no parking sign", "a sign that says no dogs", 'a shirt with "no fear" on it'."""
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
    sign = next((k for k in range(i + 1, i + 6) if words[k] in _SIGNS), 0)
    if not sign or any(word in w.PUNCTUATION and word not in _QUOTES | {"-", "/"} for word in words[i:sign]):
        return False
    is_named = before in w.DETERMINERS or before in _SIGN_NUMBERS or before in w.LOOKS
    return is_named or words[i + 1] in _FORBIDDEN or words[sign - 1] == "allowed"


_EXCEPTIONS = w.word_set("but except besides than other apart aside")
_ALL = w.word_set("all every each everyone everybody everything always both many")
_LONGEST_QUOTE = 8  # words
_SIGN_NUMBERS = w.word_set("two three four several many multiple various")
