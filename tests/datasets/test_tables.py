"""NegBench's CSV files: every form they come in, and everything that can be wrong with one."""

import ast
import csv
import os
import time
from pathlib import Path

import pytest

from negjax.datasets.tables import read_rows
from negjax.errors import NegjaxError

DATA = Path(os.environ.get("NEGJAX_TEST_DATA", "../shared/data"))


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path, kind: str) -> str:
    with pytest.raises(NegjaxError) as caught:
        list(read_rows(path, kind))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_captions(tmp_path):
    path = table(
        tmp_path,
        "image_id,captions,filepath,negative_objects,positive_objects\n"
        """7,"['A cat, ""big"".', '']",a/b.jpg,"['dog']","['cat', 'mat']"\n"""
        """8,"['One\\nline', 'It\\'s']",c.jpg,[''],['']\n""",
    )
    first, second = read_rows(path, "captions")
    assert first.file == "a/b.jpg"
    assert first.record == {
        "id": 0,
        "captions": ['A cat, "big".', ""],
        "positive_objects": ["cat", "mat"],
        "negative_objects": ["dog"],
    }
    assert second.record["captions"] == ["One\nline", "It's"]
    assert second.record["positive_objects"] == second.record["negative_objects"] == []


def test_objects_may_be_absent(tmp_path):
    (row,) = read_rows(table(tmp_path, "image_path,captions\na.jpg,['x']\n"), "captions")
    assert row.record == {"id": 0, "captions": ["x"], "positive_objects": [], "negative_objects": []}


def test_negcap(tmp_path):
    path = table(tmp_path, """caption,negative_captions,filepath\nA cat.,"['No dog.', 'Dogless.']",a.jpg\n""")
    (row,) = read_rows(path, "negcap")
    assert row.record["captions"] == ["A cat."]
    assert row.record["negated_captions"] == ["No dog.", "Dogless."]


@pytest.mark.parametrize("options", [2, 4])
def test_questions_in_any_column_order_with_a_byte_order_mark(tmp_path, options):
    names = [f"caption_{i}" for i in reversed(range(options))]
    path = table(
        tmp_path,
        "\ufeff" + ",".join(["correct_answer", *names, "correct_answer_template", "image_path"]) + "\n"
        "1," + ",".join(f"text {name}" for name in names) + ",hybrid,a.jpg\n",
    )
    (row,) = read_rows(path, "questions")
    assert row.record == {
        "id": 0,
        "group": 0,
        "options": [f"text caption_{i}" for i in range(options)],
        "answer": 1,
        "kind": "hybrid",
    }


def test_nothing_is_evaluated(tmp_path):
    path = table(tmp_path, """filepath,captions\na.jpg,"[__import__('os').getcwd()]"\n""")
    assert "row 0 (line 2): column captions is not a Python list of texts" in complaint(path, "captions")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("just text", "column captions is not a Python list of texts: 'just text'"),
        ('"[1, 2]"', "column captions is not a Python list of texts"),
        ("", "column captions is not a Python list of texts: ''"),
        ("[]", "column captions is an empty list"),
        ("['\\ud800']", "column captions is not a Python list of texts"),
        ("['x'],extra", "3 cells where the header has 2 columns"),
    ],
)
def test_bad_lists_are_named_by_row_line_and_column(tmp_path, cell, expected):
    path = table(tmp_path, f"""filepath,captions\na.jpg,"[\n'two lines']"\n\nb.jpg,{cell}\n""")
    message = complaint(path, "captions")
    assert "row 1 (line 5): " in message
    assert expected in message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("2", "answer 2 is not one of the options 0 to 1"), ("-1", "answer -1"), ("x", "'x'"), ("", "''")],
)
def test_bad_answers(tmp_path, answer, expected):
    path = table(tmp_path, f"image_path,correct_answer,caption_0,caption_1\na.jpg,{answer},x,y\n")
    message = complaint(path, "questions")
    assert "row 0 (line 2): column correct_answer: " in message
    assert expected in message


def test_missing_columns(tmp_path):
    path = table(tmp_path, "image_path,correct_answer,caption_0,caption_1,caption_3\n")
    message = complaint(path, "questions")
    assert "no column caption_2, needed for --kind questions; it has: image_path, correct_answer" in message
    message = complaint(path, "captions")
    assert "no column captions, needed for --kind captions" in message
    assert message.endswith("it looks like --kind questions")
    assert "no column filepath or image_path" in complaint(table(tmp_path, "captions\n['x']\n"), "captions")
    assert "it has: nothing" in complaint(table(tmp_path, ""), "captions")
    assert "'captions' twice" in complaint(table(tmp_path, "filepath,captions,captions\n"), "captions")


def test_files_that_are_not_tables(tmp_path):
    assert "No such file" in complaint(tmp_path / "absent.csv", "captions")
    assert "Is a directory" in complaint(tmp_path, "captions")
    (tmp_path / "latin.csv").write_bytes(b"filepath,captions\na.jpg,['caf\xe9']\n")
    assert "is not UTF-8 text" in complaint(tmp_path / "latin.csv", "captions")
    cut = table(tmp_path, """filepath,captions\na.jpg,['x']\nb.jpg,"['cut""")
    assert "row 1 (line 3): unexpected end of data" in complaint(cut, "captions")
    assert "column filepath or image_path is empty" in complaint(
        table(tmp_path, "filepath,captions\n,['x']\n"), "captions"
    )


@pytest.mark.skipif(not DATA.exists(), reason=f"no {DATA}")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images/COCO_val_mcq_llama3.1_rephrased.csv", "questions"),
        ("images/COCO_val_retrieval.csv", "captions"),
        ("images/COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", "captions"),
        ("videos/msr_vtt_mcq_rephrased_llama.csv", "questions"),
        ("videos/msr_vtt_retrieval_rephrased_llama.csv", "captions"),
        ("chexpert/Lung_Opacity/chexpert_negation_binary_mcq.csv", "questions"),
    ],
)
def test_published_files(name, kind):
    path = DATA / "negbench" / name
    start = time.monotonic()
    rows = list(read_rows(path, kind))
    assert time.monotonic() - start < 5
    with path.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    assert len(rows) == len(expected)
    for i, (row, cells) in enumerate(zip(rows, expected)):
        record = row.record
        assert record["id"] == i
        assert row.file == cells.get("image_path", cells.get("filepath"))
        if kind == "captions":
            assert record["captions"] == ast.literal_eval(cells["captions"])
            objects = ast.literal_eval(cells.get("positive_objects", "[]"))
            assert record["positive_objects"] == [text for text in objects if text]
        else:
            assert record["options"] == [cells[name] for name in sorted(cells) if name.startswith("caption_")]
            assert record["answer"] == int(cells["correct_answer"])
            assert record["kind"] == cells["correct_answer_template"]
