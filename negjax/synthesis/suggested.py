"""Absent objects that somebody suggests, a language model say: which of them captions may deny.

The same must hold as for those of `absent`: nothing that the captions name in any way, and a risk of being there after
all of at most a limit. A name that is no candidate, because few captions mention it, must be one of the lexicon, so
that its kinds and parts are known. Of the images with an object at most c mention it, c being the number of images that
mention it anywhere, at least 1, which gives its risk by the formula of `absent`.
"""

from collections.abc import Iterable, Mapping, Sequence

from negjax.language.lexicon import lexicon
from negjax.language.negation import normalize
from negjax.synthesis.absent import PRIOR_IMAGES, Occurrences, Proposal, estimate, is_background
from negjax.synthesis.named import lexicon_name


class SuggestionScreen:
    """Which suggestions may be denied in images of a collection.

    Args:
        occurrences: what occurs together in it.
        counts: the number of images of each name that occurs in it.
    """

    def __init__(self, occurrences: Occurrences, counts: Mapping[str, int]):
        self._occurrences, self._counts = occurrences, counts
        self._mentions: dict[str, int] = {}

    def accept(
        self, suggested: Sequence[str], present: Sequence[str], mentioned: Iterable[str], *, count: int, max_risk: float
    ) -> list[Proposal]:
        """The suggestions that may be denied in an image, each by its main name, none related to another.

        Args:
            suggested: names.
            present: the objects of the image.
            mentioned: all other names that its captions contain.
            count: the largest number of them.
            max_risk: the largest risk.
        """
        if not suggested:
            return []
        candidates = self._occurrences.candidates
        expected_N, risk_N = estimate(present, self._occurrences)
        people_risk = float(risk_N[candidates.people[0]]) if candidates.people else 0.0
        labelled = not self._occurrences.missed_odds_N.any()
        accepted: dict[str, Proposal] = {}
        plain = (normalize(text).strip() for text in suggested)
        for name in dict.fromkeys(lexicon_name(text) or text for text in plain):
            if is_background(name) and not labelled:
                continue
            if any(_may_be_one(name, other) for other in (*present, *mentioned, *accepted)):
                continue
            if name in candidates.index:
                n = candidates.index[name]
                proposal = Proposal(name, float(risk_N[n]), float(expected_N[n]))
            elif not labelled and name in lexicon().names and self._counts.get(name, 0):
                proposal = self._of_rare(name, present, people_risk)
            else:
                continue
            if proposal.risk <= max_risk and len(accepted) < count:
                accepted[name] = proposal
        return list(accepted.values())

    def _of_rare(self, name: str, present: Sequence[str], people_risk: float) -> Proposal:
        """The proposal of an object of the lexicon that is no candidate."""
        occurrences = self._occurrences
        mentions = self._count(name)
        share = mentions / max(occurrences.images, 1)
        held = {n for other in present for n in occurrences.candidates.general(other)}
        numbers = [int(occurrences.together_NN[n, n]) for n in held]
        shares = [(min(mentions, number) + PRIOR_IMAGES * share) / (number + PRIOR_IMAGES) for number in numbers]
        likeliest = max([share, *shares])
        risk = min(likeliest / max(1 - likeliest, 1e-9) * occurrences.usual_odds, 1.0)
        things = lexicon()
        if things.person in things.general(things.names[name]):
            risk = max(risk, people_risk)
        return Proposal(name, risk, min([share, *shares]))

    def _count(self, name: str) -> int:
        """The number of images that mention an object or a kind of it, those with two kinds counted twice."""
        if name not in self._mentions:
            things = lexicon()
            meaning = things.names[name]
            self._mentions[name] = sum(
                number
                for other, number in self._counts.items()
                if other in things.names and meaning in things.general(things.names[other])
            )
        return self._mentions[name]


def _may_be_one(first: str, second: str) -> bool:
    """Whether one name may speak of what the other names: as `Names.related`, of any two names."""
    words, others = set(first.split()), set(second.split())
    if words <= others or others <= words:
        return True
    things = lexicon()
    meanings, other_meanings = (
        (things.names[name],) if name in things.names else things.unclear.get(name, ()) for name in (first, second)
    )
    return any(things.related(meaning, other) for meaning in meanings for other in other_meanings)
