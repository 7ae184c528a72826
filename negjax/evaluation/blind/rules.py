"""Fixed rules that answer questions from the texts of their options alone, as a control for benchmarks.

A rule maps a question's options to a probability for each [O]. It sees neither image nor answer, and does not depend
on the order of the options. Options that repeat or fit equally well share the probability.
Shapes: N questions, O options.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from negjax.language.negation import CLAUSE_CUES, FORWARD_CUES, NEGATION_CUE, is_negated, normalize

CLAUSE = re.compile(
    r"[,;:.!?()]+|\b(?:but|yet|while|whereas|however|though|although)\b"
    rf"|\band (?=(?:do|does|is|are|it|shows?|features?|includes?|contains?|{CLAUSE_CUES})\b)|(?=\b(?:{FORWARD_CUES})\b)"
)
# Words of captions that do not depend on the objects that they name.
FRAME = """
a an the this that these those there here it its it's he she they them you you'll we one some any all both each
and or of in on at to from by for with out as is are be been being was were has have having had do does did will
can could also only just so what who which where along alongside together accompanied around about
image images picture photo photograph scene scenes video videos clip footage content caption drawing
show shows shown showing feature features featured featuring include includes included including contain contains
depict depicts depicted display displays displayed present presence visible see seen find found appear appears
appearance make makes take takes showcase showcases showcased highlight highlights highlighted focus center central
spotlight sight sign signs part element elements noticeable noticeably notable notably prominent prominently
"""
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse"}
_FRAME = frozenset(FRAME.split())


def longer_affirmation(options: Sequence[str]) -> np.ndarray:
    """Of two or more options without a negation word the longest (in characters), else any negated option.

    Where no option is negated either (a single affirmation), any option.
    """
    negated_O = np.array([is_negated(text) for text in options])
    if (~negated_O).sum() >= 2:
        return _share(np.where(negated_O, -1, [len(text) for text in options]))
    return _share(negated_O)


def absent_object(options: Sequence[str]) -> np.ndarray:
    """Picks the right option of a NegBench question from its four options alone.

    The distractors are always "N but not B", "N" and "not A", with A and B in the image and N not. So the options
    without a negation word decide. One: it names N, and the right option is the one that denies N instead of
    affirming it. Two or more: the right one is "A and B", the one most of whose things the others deny; of equals,
    the one that names most. None: any option.
    """
    parsed = [_parse(text) for text in options]
    affirmed = [i for i, text in enumerate(options) if not is_negated(text)]
    score_O = np.full(len(options), -np.inf)
    if len(affirmed) == 1:
        absent = parsed[affirmed[0]][0]
        for i, (has, denies) in enumerate(parsed):
            if i != affirmed[0]:
                score_O[i] = len(denies & absent) - len(has & absent)
    elif affirmed:
        denied = frozenset().union(*(denies for _, denies in parsed))
        for i in affirmed:
            has = parsed[i][0]
            score_O[i] = len(has & denied) + len(has) / 1000
    return _share(score_O)


RULES: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
    "rule_longer_affirmation": longer_affirmation,
    "rule_absent_object": absent_object,
}


def rule_credit(
    rule: Callable[[Sequence[str]], np.ndarray], options_NO: Sequence[Sequence[str]], answer_N: np.ndarray
) -> np.ndarray:
    """The probability that the rule gives to each question's right option: float64 [N]."""
    return np.array([rule(options)[answer] for options, answer in zip(options_NO, answer_N)], np.float64)


def _share(score_O: np.ndarray) -> np.ndarray:
    """Equal probabilities for the options with the highest score."""
    best_O = score_O == score_O.max()
    return best_O / best_O.sum()


@lru_cache(maxsize=1 << 16)
def _parse(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of the words that a caption affirms, and of those that it denies, clause by clause."""
    parts: tuple[set[str], set[str]] = set(), set()
    for clause in CLAUSE.split(normalize(text)):
        negated = NEGATION_CUE.search(clause) is not None
        words = re.findall(r"[a-z]+(?:'[a-z]+)?", NEGATION_CUE.sub(" ", clause))
        parts[negated].update(_stem(word) for word in words if word not in _FRAME)
    return frozenset(parts[0]), frozenset(parts[1])


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """The word without the most common English endings, so that its forms agree with each other."""
    word = IRREGULAR.get(word, word).removesuffix("'s")
    for endings in (("s",), ("ing", "er", "ed", "ie", "y", "e")):
        for ending in endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word.removesuffix(ending)
                break
    return word[:-1] if word[-1] == word[-2:-1] else word
