"""The objects of a caption that is no more than one object or a list: "a dog", "This image shows a dog and a cat."."""

import re

from negjax.language import words as w
from negjax.language.nominals import noun_phrase, presence_tail, skip_to_noun
from negjax.language.tokens import tokenize

_LONGEST_CAPTION = 120
# Words of whole sentences, which openings such as "this image shows" do not have: a quick end for most captions.
_NO_LIST = (
    (w.PREPOSITIONS | w.RELATIVES | w.FINITE | w.PERSONAL | w.SUBORDINATORS)
    - w.SHOWING
    - w.word_set("in from on with you it we this")
)
_PLACED = frozenset(("in", "on", "from", "with"))
_OPENING = re.compile(
    r"\s*[\"“']?(?:there (?:is|are)|(?:an?|the|this) (?:\w+ )?"
    r"(?:image|picture|photo|photograph|scene|video|clip|drawing)s? "
    r"(?:of|shows?|showing|features?|featuring|includes?|including|contains?|containing|depicts?|depicting|displays?"
    r"|showcases?|has|with)|(?:you|we) (?:can |will )?(?:see|find)|you'll (?:see|find)|it (?:has|shows)) ",
    re.IGNORECASE,
)


def affirmed_objects(caption: str) -> tuple[tuple[str, ...], str]:
    """Read the objects of a caption.

    Args:
        caption: a caption without negation.

    Returns:
        The objects without articles, and "and" or "or" where they are two or more; nothing for whole sentences.
    """
    if not caption or len(caption) > _LONGEST_CAPTION:
        return (), ""
    distinct = set(caption.lower().replace(".", " ").replace(",", " ").split())
    if not _NO_LIST.isdisjoint(distinct) or (not _PLACED.isdisjoint(distinct) and w.PLACES.isdisjoint(distinct)):
        return (), ""
    opening = _OPENING.match(caption)
    body = caption[opening.end() :] if opening else caption
    t = tokenize(body)
    words = t.words
    names: list[str] = []
    joint = ""
    j = 0
    while True:
        if words[j] in {"both", "either", "only"}:
            j += 1
        start = skip_to_noun(words, j)
        stop = noun_phrase(words, start)
        if stop == start or stop - start > 4:
            return (), ""
        name = t.slice(start, stop)
        is_first = start == 0 and not opening and name[1:2].islower()
        names.append(name[0].lower() + name[1:] if is_first else name)
        j = stop
        is_comma = words[j] == ","
        j += is_comma
        if words[j] in {"and", "or", "&"}:
            joint = "or" if words[j] == "or" else "and"
            j += 1
        elif not is_comma:
            break
    j = presence_tail(words, j)
    if any(word not in w.PUNCTUATION for word in words[j : len(t)]) or (len(names) > 1 and not joint):
        return (), ""
    return tuple(names), joint if len(names) > 1 else ""
