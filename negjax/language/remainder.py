"""What a caption still says when its denied parts are cut, as a caption of its own."""

from negjax.language import words as w
from negjax.language.nominals import Range, is_stop, noun_phrase, skip_to_noun
from negjax.language.nouns import indefinite_article
from negjax.language.tokens import Tokens, tokenize

_VERBS = w.AUXILIARIES | w.SHOWING | w.HOLDING | w.SEEMING | w.APPEARING
# What a kept part can't end with.
_DANGLING_VERBS = _VERBS | {"to", "makes", "make", "remains", "sits", "stands"}
_SUBJECTS = w.PERSONAL | w.RELATIVES | {"there", "one", "this"}
_NOUN_STARTS = (
    w.ARTICLES
    | w.POSSESSIVES
    | {"one", "some", "any", "notable", "noticeable", "clear", "complete", "total", "distinct", "striking"}
)
_CONJUNCTIONS = w.COORDINATORS | w.SUBORDINATORS | w.RELATIVES
_MARKS = frozenset(",;:-–—([{")
_CLOSING = frozenset(")]}")
_OPENING_QUOTES = frozenset('"“‘(')
# What a caption can't begin with.
_LEADING = (
    w.COORDINATORS | w.SUBORDINATORS | w.RELATIVES | w.ADVERBS | {"there", "of", "to", "thing"}
) - {"very", "quite", "too", "all", "both", "nearly", "almost", "mostly"}  # fmt: skip
_SUBORDINATES = w.word_set("while although though whilst whereas as since because when")
_PARTICIPLES = w.word_set("showing featuring including containing depicting displaying showcasing having")
_OPENINGS = _PARTICIPLES | _SUBORDINATES | w.PREPOSITIONS
_LEADING_VERBS = w.SHOWING | w.BE | {"has", "offers", "instead"}
_DANGLING_GROUP = _DANGLING_VERBS | w.ADVERBS
_BETWEEN_CLAUSES = _MARKS | _CONJUNCTIONS | w.ADVERBS
_CONTRASTS = w.word_set("but yet and")


def remainder(t: Tokens, cuts: list[Range]) -> str:
    """Join what lies outside the cuts.

    Args:
        t: the caption.
        cuts: word ranges, ordered and apart; at least one.

    Returns:
        A caption with capitals and final punctuation as in the original; empty where nothing with content is left.
    """
    words = t.words
    text, dropped = "", ""
    start = 0
    for stop, after in cuts:
        joint, first = _joint(words, start, stop, text, dropped) if start or text else ("", start)
        end, dangling = _trim_end(words, first, stop, after)
        if first < end and _is_attribute(words, stop, after):
            text += joint + _with_article(t, first, end, after)
            dropped = ""
        elif first < end and not w.EMPTY.issuperset(words[first:end]):
            text += joint + t.slice(first, end)
            dropped = t.slice(end, dangling)
        elif text and text[-1] not in w.SENTENCE_END and (mark := _sentence_mark(words, start, stop)):
            text += mark
            dropped = ""
        start = after
    joint, first = _joint(words, start, len(t), text, dropped)
    if not w.EMPTY.issuperset(words[first : len(t)]):
        text += joint + t.slice(first, len(t))
    return _finish(t.text, text)


def _sentence_mark(words: tuple[str, ...], start: int, stop: int) -> str:
    return next((word for word in words[start:stop] if word in {".", "!", "?"}), "")


def _trim_end(words: tuple[str, ...], start: int, stop: int, after: int) -> tuple[int, int]:
    """Drop what dangles before a cut.

    Returns:
        The end of the kept part, and the end of the words that were dropped in the same clause, such as "with" or "is".
    """
    if _is_attribute(words, stop, after):
        return stop, stop
    clause_end = end = _while_in(words, start, stop, w.ADVERBS)
    end = _while_in(words, start, end, _NOUN_STARTS)
    if end > start and words[end - 1] != "to" and (words[end - 1] in w.PREPOSITIONS or words[end - 1] == "of"):
        end -= 1
    else:
        end = _while_in(words, start, end, _DANGLING_GROUP)
    is_verb = end < clause_end
    if end > start and (words[end - 1] in w.RELATIVES or (is_verb and words[end - 1] in _SUBJECTS)):
        end = _while_in(words, start, end, _SUBJECTS)
        if end > start and words[end - 1] in w.PREPOSITIONS and words[end] in w.RELATIVES:
            end -= 1
    tail = words[max(start, end - 4) : end]
    if "whose" in tail and noun_phrase(words, end - len(tail) + tail.index("whose") + 1) >= end:
        end -= len(tail) - tail.index("whose")  # "a dog whose tail is not visible"
    dropped = end
    clause = end
    while clause > start and words[clause - 1] not in w.PUNCTUATION and words[clause - 1] not in _CONJUNCTIONS:
        clause -= 1
    # "The image shows" says nothing once its object is cut.
    if clause < clause_end and w.EMPTY.issuperset(words[clause:end]):
        end = clause
    end = _while_in(words, start, end, _BETWEEN_CLAUSES)
    return end, clause_end if end == dropped else end


def _is_attribute(words: tuple[str, ...], start: int, stop: int) -> bool:
    """Whether a cut is an adjective before its noun, as in "a cloudless sky": the article stays."""
    return stop == start + 1 and words[start].endswith(("free", "less")) and not is_stop(words[stop])


def _with_article(t: Tokens, start: int, stop: int, noun: int) -> str:
    """The text before a cut adjective, with the article that the noun takes: "a people-free island" as "an island"."""
    text = t.slice(start, stop)
    if t.words[stop - 1] not in {"a", "an"}:
        return text
    article = indefinite_article(t.slice(noun, noun + 1))
    return (
        t.slice(start, stop - 1)
        + (" " if stop - 1 > start else "")
        + (article.title() if text[-len(t.words[stop - 1])].isupper() else article)
    )


def _while_in(words: tuple[str, ...], start: int, end: int, dropped: frozenset[str]) -> int:
    while end > start and words[end - 1] in dropped:
        end -= 1
    return end


def _joint(words: tuple[str, ...], start: int, stop: int, left: str, dropped: str) -> tuple[str, int]:
    """How a part after a cut follows what stands before it: the text between, and where the part begins."""
    j = start
    mark = ""
    while j < stop and words[j] in w.PUNCTUATION and words[j] not in _OPENING_QUOTES:
        mark = words[j] if not mark or (mark == "," and words[j] in w.SENTENCE_END) else mark
        j += 1
    is_ended = left[-1:] in w.SENTENCE_END
    if not left:
        return "", _skip_leading(words, j, stop, is_next_to_cut=j == start)
    while j < stop and words[j] == "instead":
        j += 1
    if mark in _CLOSING:
        mark = ""
    if mark and mark != ",":
        # A sentence that was cut leaves the mark of the one before it.
        return (" " if is_ended else f"{mark} " if mark in w.SENTENCE_END else ", "), j
    first, following = words[j], words[j + 1]
    if first in _CONTRASTS and j + 1 < stop:
        if following in w.PREPOSITIONS or (dropped and (following in _VERBS or following in w.FINITE)):
            return " ", j + 1
        if dropped and not mark and _is_name(words, j + 1, stop):
            return f" {dropped} ", j + 1
        return (", " if mark and first != "and" else " "), j
    if mark and (first in w.DETERMINERS or first in w.PERSONAL or first in w.ADVERBS or first in _CONJUNCTIONS):
        return ", ", j
    return " ", j


def _skip_leading(words: tuple[str, ...], j: int, stop: int, *, is_next_to_cut: bool) -> int:
    """Skip what a caption can't begin with: "but", "where", "which features", "on" of "no cars on the street"."""
    if words[j] == "with" or (is_next_to_cut and words[j] in w.PREPOSITIONS and _stands_alone(words, j, stop)):
        j += 1
    start = j
    while j < stop and (words[j] in _LEADING or (j > start and words[j] == ",")):
        j += 1
    while j < stop and words[j] in _LEADING_VERBS and (j > start or is_next_to_cut):
        j += 1
    return j


def _stands_alone(words: tuple[str, ...], i: int, stop: int) -> bool:
    """Whether a place at `i` is all that follows, with what is said of it: "in the kitchen, which has a sink"."""
    end = noun_phrase(words, skip_to_noun(words, i + 1))
    end += words[end] == ","
    return end >= stop or words[end] in w.SENTENCE_END or words[end] in w.RELATIVES or words[end] == "where"


def _is_name(words: tuple[str, ...], start: int, stop: int) -> bool:
    """Whether words up to the next mark are a name and no clause."""
    for word in words[start:stop]:
        if word in w.PUNCTUATION:
            return True
        if word in w.AUXILIARIES or word in w.FINITE:
            return False
    return True


def _without_opening(text: str) -> str:
    """Drop the conjunction or preposition of a part that stands alone now: "While a dog sleeps", "In the kitchen"."""
    first, _, rest = text.partition(" ")
    if first.lower() not in _OPENINGS:
        return text
    if first.lower() == "despite" and rest.partition(" ")[0] in _PARTICIPLES:
        first, _, rest = rest.partition(" ")
    if first.lower() in _PARTICIPLES:
        return rest
    if first.lower() in _SUBORDINATES and "," not in rest:
        return rest
    if first.lower() in w.PREPOSITIONS:
        t = tokenize(rest)
        start = 0
        while t.words[start] in w.DETERMINERS and t.words[start + 1] in w.SIGNS_OF and t.words[start + 2] == "of":
            start += 3
        end = noun_phrase(t.words, skip_to_noun(t.words, start))
        if end >= len(t) or t.words[end] in w.SENTENCE_END:
            return t.slice(start, len(t))
        conjunction = end + (t.words[end] == ",")
        if t.words[conjunction] in w.SUBORDINATORS and t.words[conjunction] != "where":
            return f"{first} {t.slice(0, end)}, {t.slice(conjunction + 1, len(t))}"
    return text


def _finish(original: str, text: str) -> str:
    """Capital and final punctuation as in the original."""
    text = _without_opening(text.strip(" \"“”'’").rstrip(" ,;:-–—"))
    if not text:
        return ""
    first = next(letter for letter in original if letter.isalpha())
    if first.isupper():
        text = text[0].upper() + text[1:]
    end = original.rstrip(" \"”'’")[-1:]
    return text + end if end in ".!?" and text[-1] not in ".!?" else text
