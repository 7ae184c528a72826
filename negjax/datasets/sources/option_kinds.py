"""What the options of NegBench's questions are: "positive" (N), "negative" (not A) or "hybrid" (N but not B).

Its files say so of the right option only; the order of the options says so of the others.
- COCO, VOC2007 and MSR-VTT list the right option first, then a hybrid, a positive and a negative distractor. Measured
  over all rows of COCO (5,914) and MSR-VTT (1,000): option 1 holds a negation word in 99.7 and 97.0 %, option 2 in
  0.1 and 0.3 %, option 3 in 100.0 and 99.8 %, and option 1 has 53 and 51 letters where option 3 has 36 and 34.
- The synthetic set has a fixed kind at each position, and its right answer at any of them.
NegBench's own evaluation counts wrong picks like this too (benchmarks/src/evaluation/mcq.py, wrong_answer_to_type).
"""

from collections import Counter
from collections.abc import Sequence

OPTION_KINDS = ("positive", "negative", "hybrid")
PUBLISHED = ("", "hybrid", "positive", "negative")  # "": the right option, whose kind is the question's
SYNTHETIC = ("positive", "hybrid", "hybrid", "negative")

QuestionForm = tuple[int, int, str]
"""A question's number of options, right answer and kind."""


def option_layout(file: str, forms: Counter[QuestionForm], negated: Sequence[int]) -> tuple[str, ...]:
    """The kinds of the distractors by position, for all questions of a file.

    Args:
        file: Its name, by which the synthetic set is known.
        forms: How many questions there are of each form.
        negated: In how many questions the option at each position holds a negation word; most must fit the layout.

    Returns:
        One of OPTION_KINDS per position, "" for the right option's; empty if the file has no known layout.
    """
    if not forms or not all(options == len(PUBLISHED) and kind in OPTION_KINDS for options, _, kind in forms):
        return ()
    if file.lower().startswith("synthetic_mcq"):
        layout = SYNTHETIC
    elif all(answer == 0 for _, answer, _ in forms):
        layout = PUBLISHED
    else:
        return ()
    half = sum(forms.values()) / 2
    fits = all((count > half) == (kind != "positive") for kind, count in zip(layout, negated) if kind)
    return layout if fits else ()


def option_kinds(layout: Sequence[str], answer: int, kind: str) -> list[str]:
    """The kinds of one question's options: by position, except that the right option has the question's own."""
    return [kind if position == answer else of_layout for position, of_layout in enumerate(layout)]
