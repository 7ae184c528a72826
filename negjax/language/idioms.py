"""Idioms with a cue word that deny nothing: "no doubt", "not only", "can't wait"."""

from collections import defaultdict

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
without further|without doubt|without a doubt|without any doubt|without question|without fail|without delay
without incident|absent minded|minus sign|minus degrees|temperature minus
"""
# Negative verbs that share the idioms of another.
_VARIANTS = {
    "can't": ("cannot", "cant", "won't"),
    "don't": ("dont", "didn't"),
    "doesn't": ("doesnt", "didn't"),
    "isn't": ("isnt", "wasn't"),
}


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
