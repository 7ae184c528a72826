"""The kinds of the options of NegBench's questions: "positive" (N), "negative" (not A) or "hybrid" (N but not B).

The files state the kind of the right option only; the kinds of the distractors follow from their positions.
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
        file: Name of the file, which identifies the synthetic set.
        forms: Number of questions of each form.
        negated: For each option position, the number of questions with a negation word there; most must fit the layout.

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
    """The kinds of a question's options.

    Args:
        layout: The result of `option_layout`.
        answer: Index of the right option.
        kind: The kind of the question, which is that of its right option.

    Returns:
        The kind of each option.
    """
    return [kind if position == answer else layout_kind for position, layout_kind in enumerate(layout)]
