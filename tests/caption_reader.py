"""Reads a caption that negjax wrote, without its patterns: which of the known names it says are there, and which not.

English is read by a few rules. Names joined by "and", "or", "nor" or commas stand together; commas and words such as
"but" end a clause; within one, a name is absent when a negating word stands before it, or is its predicate.
"""

import re
from collections.abc import Sequence

BEFORE = {"no", "not", "cannot", "without", "lacks", "lacking", "neither"}
AFTER = {"not", "cannot", "absent", "missing", "nowhere"}


def read(caption: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names said to be present and those said to be absent, each in the order of the caption."""
    thing = rf"(?:an?|the) (?:{'|'.join(names)})\b"
    groups: list[list[str]] = []

    def collapse(found: re.Match) -> str:
        groups.append(re.findall("|".join(rf"\b{name}\b" for name in names), found[0]))
        return f"@{len(groups) - 1}"

    text = re.sub(rf"{thing}(?:(?:, {thing})*(?: and| or| nor) {thing})?", collapse, caption.lower())
    text = re.sub(rf"\b(?:{'|'.join(names)})\b", collapse, text)
    absent: dict[int, bool] = {}
    before = False
    for clause in re.split(r",| but | yet | while | though | and ", text):
        words = clause.split()
        for place, word in enumerate(words):
            if word.startswith("@"):
                after = words[place + 1 :]
                own = after[: next((i for i, other in enumerate(after) if other.startswith("@")), None)]
                so = words[:place] == ["so", "is"]
                before = before if so else bool(BEFORE & set(words[:place]) or AFTER & set(own))
                absent[int(word[1:])] = before
    said = [(name, absent[i]) for i, group in sorted((i, groups[i]) for i in absent) for name in group]
    order = sorted(said, key=lambda pair: re.search(rf"\b{pair[0]}\b", caption.lower()).start())
    assert len(order) == len({name for name, _ in order}), f"a name stands twice in {caption!r}"
    return [name for name, gone in order if not gone], [name for name, gone in order if gone]
