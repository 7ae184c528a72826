"""What the options of NegBench's questions are: "positive" (N), "negative" (not A) or "hybrid" (N but not B).

Its files do not say it, except for the right one; the order of the options does.
- COCO, VOC2007 and MSR-VTT list the right option first, then a hybrid, a positive and a negative distractor. Measured
  over all rows of COCO (5,914) and MSR-VTT (1,000): option 1 holds a negation word in 99.7 and 97.0 %, option 2 in
  0.1 and 0.3 %, option 3 in 100.0 and 99.8 %, and option 1 has 53 and 51 letters where option 3 has 36 and 34.
- The synthetic set has a fixed kind at each place and its right answer at any of them.
Both are also how NegBench's own evaluation counts wrong picks (benchmarks/src/evaluation/mcq.py, wrong_answer_to_type).
"""

from collections import Counter
from collections.abc import Sequence

KINDS = ("positive", "negative", "hybrid")
PUBLISHED = ("", "hybrid", "positive", "negative")  # "": the right option, whose kind is the question's
SYNTHETIC = ("positive", "hybrid", "hybrid", "negative")

Form = tuple[int, int, str]  # of a question: number of options, right answer, kind


def layout(file: str, forms: Counter[Form], negated: Sequence[int]) -> tuple[str, ...]:
    """The kinds of the distractors by place, for all questions of a file; empty where they are not known.

    file: its name, which tells the synthetic set. forms: how many questions there are of each form.
    negated: in how many questions the option at each place holds a negation word; most must fit the layout.
    """
    if not all(options == len(PUBLISHED) and kind in KINDS for options, _, kind in forms):
        return ()
    if file.lower().startswith("synthetic_mcq"):
        places = SYNTHETIC
    elif all(answer == 0 for _, answer, _ in forms):
        places = PUBLISHED
    else:
        return ()
    half = sum(forms.values()) / 2
    fits = all((count > half) == (kind != "positive") for kind, count in zip(places, negated) if kind)
    return places if fits else ()


def option_kinds(places: Sequence[str], answer: int, kind: str) -> list[str]:
    """The kinds of one question's options: by place, and the right option's is the question's own."""
    return [kind if place == answer else each for place, each in enumerate(places)]
