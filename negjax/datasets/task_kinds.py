"""The kinds of evaluation task: the one table that stored sets, evaluation, reports and comparisons follow.

A kind is added with one line here and one file, `negjax/evaluation/tasks/MODULE.py`, that defines a
`negjax.evaluation.tasks.kind.TaskKind` named as the kind in capitals. This table is all that `datasets` knows
of a kind, because it does not import `evaluation`.
"""

from dataclasses import dataclass

from negjax.datasets.records import COLUMNS


@dataclass(frozen=True)
class TaskKindEntry:
    """The fields that a stored set of a kind needs, and the module that implements the kind.

    Attributes:
        fields: keys of `records.COLUMNS`; a set of this kind has at least one of them.
        module: the module in `negjax/evaluation/tasks` that implements the kind; "" for sets that are not evaluated.
        metadata: entries of the set's metadata that determine what is asked.
    """

    fields: tuple[str, ...]
    module: str
    metadata: tuple[str, ...] = ()


TASK_KINDS = {
    "mcq": TaskKindEntry(("question",), "questions"),
    "binary_mcq": TaskKindEntry(("question",), "questions"),
    "truth_table": TaskKindEntry(("question",), "questions"),
    "affirmation": TaskKindEntry(("question",), "affirmation", ("objects", "bias_templates")),
    "pairs": TaskKindEntry(("question", "captions"), "pairs"),
    "retrieval": TaskKindEntry(("captions",), "retrieval"),
    "zeroshot": TaskKindEntry(("label",), "zeroshot", ("classnames", "templates")),
    "equivalence": TaskKindEntry(("captions",), "equivalence"),
    "queries": TaskKindEntry(("objects",), "queries", ("queries",)),
    "train": TaskKindEntry(tuple(COLUMNS), ""),
}
EVALUATED_KINDS = tuple(name for name, entry in TASK_KINDS.items() if entry.module)
