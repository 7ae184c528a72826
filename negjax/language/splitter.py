"""The splitter: reads a caption and separates what it affirms from what it denies, by rules for English.

It needs no model and no network. `scopes.read_cue` reads one cue, `remainder` joins what is left, `affirming` and
`idioms` know what denies nothing, `search_form` the form of search engines ("beach -people"), `objects` lists.
"""

from negjax.language.affirming import why_inert
from negjax.language.negation import may_be_negated, normalize
from negjax.language.nominals import Range
from negjax.language.objects import affirmed_objects
from negjax.language.parsed import Operator, Parsed
from negjax.language.remainder import remainder
from negjax.language.scopes import cue_places, read_cue
from negjax.language.search_form import split_search_form
from negjax.language.tokens import tokenize


def split(caption: str) -> Parsed:
    """Split a caption into what it affirms and what it denies.

    Args:
        caption: a caption or query in English, of any length. Other languages and scripts are left alone.

    Returns:
        How it is read. A caption in which no negation is found, or none that can be read, is affirmed as it stands.
    """
    searched = split_search_form(caption)
    if searched is not None:
        affirmed, negated, remark = *searched, ""
    else:
        affirmed, negated, remark = caption, (), ""
        if may_be_negated(normalize(caption)):
            affirmed, negated, remark = _split_negations(caption)
    concepts, joint = affirmed_objects(affirmed)
    if concepts and (both := [concept for concept in negated if concept in concepts]):
        remark = f"denies what it affirms: {both[0]!r}"
    return Parsed(caption, affirmed, concepts, negated, _operator(affirmed, negated, joint), remark)


def _split_negations(caption: str) -> tuple[str, tuple[str, ...], str]:
    t = tokenize(caption)
    words = t.words
    cuts: list[Range] = []
    negated: dict[str, None] = {}
    remark, floor = "", 0
    for i in cue_places(words):
        if i < floor:
            continue
        if why := why_inert(t, i):
            remark = remark or why
            continue
        scope = read_cue(t, i, floor)
        if scope is None or scope.start < floor:
            remark = remark or f"not understood: {words[i]!r}"
            continue
        cuts += scope.cuts
        negated.update(dict.fromkeys(scope.concepts))
        floor = scope.stop
    if not cuts:
        return caption, (), remark
    return remainder(t, cuts), tuple(negated), ""


def _operator(affirmed: str, negated: tuple[str, ...], joint: str) -> Operator:
    if negated:
        return "but_not" if affirmed else "single" if len(negated) == 1 else "neither"
    if joint:
        return "or" if joint == "or" else "and"
    return "none"
