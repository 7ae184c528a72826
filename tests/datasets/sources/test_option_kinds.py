"""What NegBench's options are: by place, and only where the whole file fits."""

import re
from collections import Counter

import pytest
from support.images import png

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.sources.option_kinds import option_kinds, option_layout
from negjax.datasets.sources.table_source import read_rows
from negjax.datasets.stored.store import open_set

HYBRID, POSITIVE, NEGATIVE = "hybrid", "positive", "negative"
WORDS = re.compile(
    r"\b(no|not|without|lacks?|absent|excludes?|never|none|cannot|minus|missing|devoid|omits)\b|n't|-free",
    re.IGNORECASE,
)


def test_places():
    first = Counter({(4, 0, POSITIVE): 6, (4, 0, HYBRID): 4})
    assert option_layout("COCO_val_mcq.csv", first, [4, 10, 0, 9]) == ("", HYBRID, POSITIVE, NEGATIVE)
    assert option_kinds(("", HYBRID, POSITIVE, NEGATIVE), 0, NEGATIVE) == [NEGATIVE, HYBRID, POSITIVE, NEGATIVE]
    anywhere = Counter({(4, 3, NEGATIVE): 6, (4, 0, POSITIVE): 4})
    assert option_layout("synthetic_mcq_llama3.1_rephrased.csv", anywhere, [1, 9, 9, 9]) == (
        POSITIVE,
        HYBRID,
        HYBRID,
        NEGATIVE,
    )
    assert option_kinds((POSITIVE, HYBRID, HYBRID, NEGATIVE), 2, HYBRID) == [POSITIVE, HYBRID, HYBRID, NEGATIVE]


@pytest.mark.parametrize(
    ("file", "forms", "negated"),
    [
        ("mcq.csv", {(4, 0, POSITIVE): 9, (4, 1, POSITIVE): 1}, [0, 10, 0, 10]),  # answers shuffled
        ("mcq.csv", {(4, 0, POSITIVE): 9, (4, 0, "modified_positive"): 1}, [0, 10, 0, 10]),  # NegMCQ
        ("mcq.csv", {(4, 0, ""): 10}, [0, 10, 0, 10]),
        ("mcq.csv", {(2, 0, POSITIVE): 10}, [0, 10]),
        ("mcq.csv", {(4, 0, POSITIVE): 10}, [0, 0, 10, 10]),  # other options than NegBench's
        ("synthetic_mcq.csv", {(4, 0, POSITIVE): 10}, [0, 10, 0, 10]),
        ("captions.csv", {}, []),
    ],
)
def test_nothing_is_claimed_of_other_files(file, forms, negated):
    assert option_layout(file, Counter(forms), negated) == ()


@pytest.mark.parametrize(
    "name", ["images/COCO_val_mcq_llama3.1_rephrased.csv", "videos/msr_vtt_mcq_rephrased_llama.csv"]
)
def test_the_published_files_say_so(test_data, name):
    """All rows: options 1 and 3 negate, 2 does not, and 1 is longer than 3."""
    records = [row.record for row in read_rows(test_data / "negbench" / name, "questions")]
    assert {record["answer"] for record in records} == {0}
    assert {record["kind"] for record in records} == {POSITIVE, NEGATIVE, HYBRID}
    negated = [sum(bool(WORDS.search(record["options"][k])) for record in records) / len(records) for k in range(4)]
    letters = [sum(len(record["options"][k]) for record in records) / len(records) for k in range(4)]
    assert min(negated[1], negated[3]) > 0.9
    assert negated[2] < 0.01
    assert letters[1] > 1.4 * letters[3]


def test_a_published_file_gets_its_kinds(test_data, tmp_path):
    csv = test_data / "negbench" / "images" / "COCO_val_mcq_llama3.1_rephrased.csv"
    build_from_csv("questions", csv, test_data / "coco_val2017", "mcq", tmp_path, skip_missing=True, progress=False)
    rows = list(open_set(tmp_path, "mcq").rows())
    assert {row["kind"] for row in rows} == {POSITIVE, NEGATIVE, HYBRID}
    assert all(row["option_kinds"] == [row["kind"], HYBRID, POSITIVE, NEGATIVE] for row in rows)


def test_the_synthetic_set(tmp_path):
    """Its right answer is anywhere; the distractors' kinds go by place."""
    (tmp_path / "a.png").write_bytes(png(0))
    path = tmp_path / "synthetic_mcq_llama3.1_rephrased.csv"
    lines = [
        f'{answer},a cat and a dog,"a cat, no bird","a bird, no cat",no bird,{kind},x/a.png'
        for answer, kind in [(0, POSITIVE), (3, NEGATIVE), (1, HYBRID), (2, HYBRID)]
    ]
    columns = "correct_answer,caption_0,caption_1,caption_2,caption_3,correct_answer_template,filepath"
    path.write_text("\n".join([columns, *lines]))
    build_from_csv("questions", path, tmp_path, "synthetic", tmp_path / "sets", progress=False)
    rows = list(open_set(tmp_path / "sets", "synthetic").rows())
    assert [(row["answer"], row["kind"]) for row in rows] == [(0, POSITIVE), (3, NEGATIVE), (1, HYBRID), (2, HYBRID)]
    assert all(row["option_kinds"] == [POSITIVE, HYBRID, HYBRID, NEGATIVE] for row in rows)
