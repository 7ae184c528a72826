"""Checks sets that `negjax synth` made: what is wrong with their texts, and what these alone give away."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from etils import epath

from negjax.datasets.records import columns
from negjax.datasets.stored.store import list_sets, open_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.synth.summary import summarize_stage
from negjax.datasets.synth.write import check_rows
from negjax.errors import NegjaxError
from negjax.evaluation.blind.text_only import cross_validated_credit
from negjax.language.negation import is_negated
from negjax.runtime.files import write_atomic
from negjax.runtime.paths import to_path
from negjax.tokenizers.clip import Tokenizer

ALLOWED_ABOVE_CHANCE = 0.05  # of a scorer of texts alone
NEGBENCH_FORM = ("_questions", "_negfull")  # sets in the form of NegBench, whose texts give the answer away
EXAMPLES = 5


@dataclass
class SetCheck:
    """What was found about a set.

    Attributes:
        name: the set.
        rows: its number of rows.
        images: the number of distinct images.
        texts: the number of distinct texts.
        figures: lines of figures.
        faults: lines of what is wrong.
        examples: some texts.
    """

    name: str
    rows: int
    images: int
    texts: int = 0
    figures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)


def check_sets(out: epath.PathLike, name: str, data_dir: epath.PathLike) -> list[str]:
    """Checks all sets of a name and writes the data-set card OUT/card.md.

    Args:
        out: the folder of the stages.
        name: the first part of the sets' names.
        data_dir: the folder of the sets.

    Returns:
        What was found, a line each.

    Raises:
        NegjaxError: there are no such sets, or one is of other rows than the stages have now.
    """
    names = [line.name for line in list_sets(data_dir) if line.name.startswith(f"{name}_")]
    if not names:
        raise NegjaxError(f"no sets {name}_... in {data_dir}: run negjax synth write first")
    for set_name in names:
        check_rows(out, set_name)
    checks = [check_set(open_set(data_dir, set_name)) for set_name in names]
    lines = []
    for check in checks:
        lines.append(f"{check.name}: {check.rows:,} rows, {check.images:,} images, {check.texts:,} different texts")
        lines += [f"  {line}" for line in check.figures] + [f"  WARNING: {line}" for line in check.faults]
    summary = summarize_stage(out, "verify")
    card = to_path(out) / "card.md"
    write_atomic(card, _write_card(name, checks, summary))
    return [*lines, f"data-set card: {card}"]


def check_set(data: StoredSet) -> SetCheck:
    """Checks a set: repeated rows and options, empty and long texts, and what a scorer of texts alone gets."""
    texts: set[str] = set()
    images: dict[str, int] = {}
    options, answers, image_of = [], [], []
    rows: set[tuple[str, ...]] = set()
    repeated = equal_options = empty = 0
    check = SetCheck(data.name, len(data), 0)
    for record in data.rows():
        image = images.setdefault(record["media_sha256"], len(images))
        written = [*record.get("captions", ()), *record.get("negated_captions", ()), *record.get("options", ())]
        texts.update(written)
        empty += sum(not text.strip() for text in written)
        row = (record["media_sha256"], *written)
        repeated += row in rows
        rows.add(row)
        if "options" in record:
            equal_options += len(set(record["options"])) < len(record["options"])
            options.append(record["options"])
            answers.append(record["answer"])
            image_of.append(image)
        if len(check.examples) < EXAMPLES:
            check.examples.append(_example(record, written))
    check.images, check.texts = len(images), len(texts)
    counts = {"repeated rows": repeated, "questions with two equal options": equal_options, "empty texts": empty}
    check.faults += [f"{count:,} {what}" for what, count in counts.items() if count]
    check.faults += _long_texts(data)
    if options:
        _measure_text_alone(check, options, np.array(answers), np.array(image_of))
    return check


def _example(record: dict, written: Sequence[str]) -> str:
    if "options" in record:
        return f"{' | '.join(record['options'])}; right: {record['options'][record['answer']]}"
    return written[0] if written else ""


def _long_texts(data: StoredSet) -> list[str]:
    faults, limit = [], Tokenizer().context_length
    for column in ("captions", "negated_captions", "options"):
        if column in columns(data.fields):
            longest_R = data.lengths(column).longest_R
            if count := int((longest_R > limit).sum()):
                faults.append(f"{count:,} rows have {column} of more than {limit} tokens, which CLIP cuts")
    return faults


def _measure_text_alone(check: SetCheck, options: list[list[str]], answer_N: np.ndarray, image_N: np.ndarray) -> None:
    """Adds the share of negated options, and the accuracy of a scorer that is fitted on texts alone."""
    right = [is_negated(texts[answer]) for texts, answer in zip(options, answer_N)]
    wrong = [is_negated(text) for texts, answer in zip(options, answer_N) for text in np.delete(texts, answer)]
    check.figures.append(
        f"options with a negation: {np.mean(right):.0%} of the right, {np.mean(wrong):.0%} of the wrong"
    )
    credit_N = cross_validated_credit(options, answer_N, image_N)
    if credit_N is None:
        check.figures.append("a scorer of texts alone cannot be fitted on so few questions")
        return
    chance = 1 / len(options[0])
    accuracy = float(credit_N.mean())
    check.figures.append(f"a scorer of texts alone gets {accuracy:.1%}, chance is {chance:.0%}")
    if accuracy > chance + ALLOWED_ABOVE_CHANCE:
        form = ", as NegBench's form does" if check.name.endswith(NEGBENCH_FORM) else ""
        check.faults.append(f"the texts alone give answers away{form}: {accuracy:.1%} without looking at the image")


def _write_card(name: str, checks: list[SetCheck], summary: list[str]) -> str:
    """The data-set card in Markdown."""
    lines = [
        f"# {name}",
        "",
        "Made by `negjax synth`: sentences from patterns, objects from captions or labels (WordNet 3.1).",
        "Absent objects are those that one could expect and that are most likely not there.",
        "The licence is that of the photographs and captions: add it here, with their source.",
        "",
        "## How absence was checked",
        "",
        *(f"- {line.strip()}" for line in summary),
        "",
        "## Sets",
        "",
        "| set | rows | images | different texts |",
        "| --- | --- | --- | --- |",
        *(f"| {check.name} | {check.rows:,} | {check.images:,} | {check.texts:,} |" for check in checks),
        "",
    ]
    for check in checks:
        remarks = [*check.figures, *(f"**{fault}**" for fault in check.faults)]
        lines += [f"### {check.name}", "", *(f"- {line}" for line in remarks), "", "```text"]
        lines += [*(example.replace("`", "'").replace("\n", " ") for example in check.examples), "```", ""]
    return "\n".join(lines)
