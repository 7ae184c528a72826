"""Reads captions without knowing their patterns: which of the given names a caption affirms, and which it negates.

English is read by a few rules, and plurals in "s" as the name. Names joined by "and", "or", "nor" or commas form a
group; commas and words such as "but" end a clause; within one, a name is negated when a negation cue precedes it, or is
its predicate.
"""

import re
from collections.abc import Sequence

CUES_BEFORE = {"no", "not", "never", "cannot", "without", "lacks", "lacking", "neither", "isn't", "aren't"}
CUES_AFTER = {"not", "cannot", "absent", "missing", "nowhere"}


def read(caption: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that the caption affirms, and those that it negates, in the order of the caption."""
    caption = re.sub(rf"\b({'|'.join(names)})s\b", r"\1", caption, flags=re.IGNORECASE)
    noun = rf"(?:an?|the|a single) (?:{'|'.join(names)})\b"
    groups: list[list[str]] = []

    def replace_group(match: re.Match) -> str:
        groups.append(re.findall("|".join(rf"\b{name}\b" for name in names), match[0]))
        return f"@{len(groups) - 1}"

    text = re.sub(rf"{noun}(?:(?:, {noun})*(?: and| or| nor) {noun})?", replace_group, caption.lower())
    text = re.sub(rf"\b(?:{'|'.join(names)})\b", replace_group, text)
    absent: dict[int, bool] = {}
    negated = False
    for clause in re.split(r",| but | yet | while | though | and ", text):
        words = clause.split()
        for index, word in enumerate(words):
            if word.startswith("@"):
                after = words[index + 1 :]
                predicate = after[: next((i for i, other in enumerate(after) if other.startswith("@")), None)]
                is_so_clause = words[:index] == ["so", "is"]
                if not is_so_clause:
                    negated = bool(CUES_BEFORE & set(words[:index]) or CUES_AFTER & set(predicate))
                absent[int(word[1:])] = negated
    mentions = [(name, absent[i]) for i, group in sorted((i, groups[i]) for i in absent) for name in group]
    order = sorted(mentions, key=lambda pair: re.search(rf"\b{pair[0]}\b", caption.lower()).start())
    assert len(order) == len({name for name, _ in order}), f"a name occurs twice in {caption!r}"
    return [name for name, is_negated in order if not is_negated], [name for name, is_negated in order if is_negated]
