"""NegBench's CSV files: every form they come in, and everything that can be wrong with one."""

import ast
import csv
import pickle
import time
from pathlib import Path

import pytest

from negjax.datasets.build.survey import survey_source
from negjax.datasets.sources.rows import refuse_row
from negjax.datasets.sources.table_source import read_rows, table_source
from negjax.errors import NegjaxError


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
    assert first.path == "a/b.jpg"
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


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_an_index_gaps_and_floats_as_pandas_writes_them(tmp_path, index):
    path = table(
        tmp_path,
        f"{index},filepath,correct_answer,caption_0,caption_1,caption_2,correct_answer_template,\n"
        "0,a.jpg,2.0,x,y,z,nan,0\n1,b.jpg,0,x,y,z,3,1\n",
    )
    first, second = read_rows(path, "questions")
    assert (first.record["answer"], first.record["kind"]) == (2, "")
    assert (second.record["answer"], second.record["kind"]) == (0, "3")
    assert second.record["options"] == ["x", "y", "z"]


def test_nothing_is_evaluated(tmp_path):
    path = table(tmp_path, """filepath,captions\na.jpg,"[__import__('os').getcwd()]"\n""")
    assert "row 0 (line 2): column captions is not a Python or JSON list of texts" in complaint(path, "captions")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("just text", "column captions is not a Python or JSON list of texts: 'just text'"),
        ('"[1, 2]"', "column captions is not a Python or JSON list of texts"),
        ("", "column captions is not a Python or JSON list of texts: ''"),
        ("nan", "column captions is not a Python or JSON list of texts: 'nan'"),
        ("\"['x', None]\"", "column captions is not a Python or JSON list of texts"),
        ("[]", "column captions is an empty list"),
        ("['\\ud800']", "column captions is not a Python or JSON list of texts"),
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
    [
        ("2", "answer 2 is not one of the options 0 to 1"),
        ("2.0", "answer 2 is not one of the options 0 to 1"),
        ("-1", "answer -1"),
        ("0.5", "'0.5' is not a whole number"),
        ("nan", "'nan' is not a whole number"),
        ("inf", "'inf' is not a whole number"),
        ("x", "'x' is not a number"),
        ("", "'' is not a number"),
    ],
)
def test_bad_answers(tmp_path, answer, expected):
    path = table(tmp_path, f"image_path,correct_answer,caption_0,caption_1\na.jpg,{answer},x,y\n")
    message = complaint(path, "questions")
    assert "row 0 (line 2): column correct_answer: " in message
    assert expected in message


def test_hard_negatives_that_are_more_for_one_row_than_for_another(tmp_path):
    """A set whose questions have other numbers of options would be refused when it is evaluated."""
    path = table(
        tmp_path, "image_id,caption,hard_negs,x,y,width,height\n7,c,['n'],0,0,9,9\n8,c,\"['n', 'm']\",0,0,9,9\n"
    )
    with pytest.raises(NegjaxError, match=r"row 0 \(VG_100K/7\.jpg\) has 2 options and row 1 \(VG_100K/8\.jpg\) has 3"):
        survey_source(table_source("pairs", path, tmp_path))


def test_missing_columns(tmp_path):
    path = table(tmp_path, "image_path,correct_answer,caption_0,caption_1,caption_3\n")
    message = complaint(path, "questions")
    assert "no column caption_2, needed for --kind questions; it has: image_path, correct_answer" in message
    message = complaint(path, "captions")
    assert "no column captions, needed for --kind captions" in message
    assert message.endswith("it looks like --kind questions")
    path = table(tmp_path, "filepath,caption,negative_caption\n")
    assert complaint(path, "negcap").endswith("it looks like --kind pairs")
    path = table(tmp_path, "image_id,caption,hard_negs,x,y\n")
    assert "no column width, height, needed for --kind pairs" in complaint(path, "crepe")
    assert "no column filepath or image_path" in complaint(table(tmp_path, "captions\n['x']\n"), "captions")
    assert "it has: nothing" in complaint(table(tmp_path, ""), "captions")
    for separator in (";", "\t"):
        message = complaint(table(tmp_path, f"filepath{separator}captions\n"), "captions")
        assert message.endswith(f"; it looks separated by {separator!r}: give --csv-separator {separator!r}")
    assert "'captions' twice" in complaint(table(tmp_path, "filepath,captions,captions\n"), "captions")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("7,c,['n'],0,0,wide,9", "columns x, y, width, height: 'wide' is not a number"),
        ("7,c,['n'],0,0,0,9", "has no area"),
        ("7,c,['n'],nan,0,9,9", "has no area"),
        ("7,c,n,0,0,9,9", "column hard_negs is not a Python or JSON list of texts: 'n'"),
        (",c,['n'],0,0,9,9", "column image_id is empty"),
    ],
)
def test_bad_rows_of_crepe(tmp_path, cells, expected):
    path = table(tmp_path, f"image_id,caption,hard_negs,x,y,width,height\n{cells}\n")
    message = complaint(path, "crepe")
    assert "row 0 (line 2): " in message
    assert expected in message


def test_files_that_are_not_tables(tmp_path):
    assert "No such file" in complaint(tmp_path / "absent.csv", "captions")
    assert "it is a folder, not a file" in complaint(tmp_path, "captions")
    (tmp_path / "latin.csv").write_bytes(b"filepath,captions\na.jpg,['caf\xe9']\n")
    assert "is not UTF-8 text" in complaint(tmp_path / "latin.csv", "captions")
    cut = table(tmp_path, """filepath,captions\na.jpg,['x']\nb.jpg,"['cut""")
    assert "row 1 (line 3): unexpected end of data" in complaint(cut, "captions")
    assert "column filepath or image_path is empty" in complaint(
        table(tmp_path, "filepath,captions\n,['x']\n"), "captions"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images/COCO_val_mcq_llama3.1_rephrased.csv", "questions"),
        ("images/COCO_val_retrieval.csv", "captions"),
        ("images/COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", "captions"),
        ("videos/msr_vtt_mcq_rephrased_llama.csv", "questions"),
        ("videos/msr_vtt_retrieval.csv", "captions"),
        ("videos/msr_vtt_retrieval_rephrased_llama.csv", "captions"),
        ("chexpert/Lung_Opacity/chexpert_affirmation_binary_mcq.csv", "questions"),
        ("chexpert/Lung_Opacity/chexpert_negation_binary_mcq.csv", "questions"),
    ],
)
def test_published_files(test_data, name, kind):
    path = test_data / "negbench" / name
    rows = list(read_rows(path, kind))
    with path.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    assert len(rows) == len(expected)
    for i, (row, cells) in enumerate(zip(rows, expected)):
        record = row.record
        assert record["id"] == row.index == i
        assert row.path == cells.get("image_path", cells.get("filepath"))
        if kind == "captions":
            assert record["captions"] == ast.literal_eval(cells["captions"])
            objects = ast.literal_eval(cells.get("positive_objects", "[]"))
            assert record["positive_objects"] == [text for text in objects if text]
        else:
            assert record["options"] == [cells[name] for name in sorted(cells) if name.startswith("caption_")]
            assert record["answer"] == int(cells["correct_answer"])
            assert record["kind"] == cells["correct_answer_template"]


def test_the_big_files_are_read_and_checked_in_five_seconds(test_data):
    """5,000 rows with 25,014 captions, and 5,914 questions; about 0.6 s of processor time."""
    images, photographs = test_data / "negbench" / "images", test_data / "coco_val2017"
    start = time.process_time()
    sources = [
        table_source("captions", images / "COCO_val_retrieval.csv", photographs),
        table_source("questions", images / "COCO_val_mcq_llama3.1_rephrased.csv", photographs),
    ]
    texts = [survey_source(source).texts for source in sources]
    seconds = time.process_time() - start
    assert ([source.rows for source in sources], texts) == ([5000, 5914], [25014, 5914])
    assert seconds < 5


def test_long_and_empty_captions_are_kept_whole(test_data):
    """Some are what a language model said instead of a caption; the published figures hold them all."""
    images = test_data / "negbench" / "images"
    path = images / "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv"
    texts = [text for row in read_rows(path, "captions") for text in row.record["captions"]]
    rows = read_rows(images / "COCO_val_mcq_llama3.1_rephrased.csv", "questions")
    texts += [text for row in rows for text in row.record["options"]]
    assert max(map(len, texts)) == 656
    assert texts.count("") == 1


@pytest.mark.parametrize("column", ["caption", "title"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_files_of_open_clips_users(tmp_path, column, separator):
    """open_clip reads filepath and title, with tabs between them: open_clip_train/params.py, --csv-separator."""
    lines = [["filepath", column], ["a.jpg", "['plain' text]"], ["a.jpg", '"x\n""y"""']]
    path = table(tmp_path, "".join(separator.join(cells) + "\n" for cells in lines))
    source = table_source("captions", path, tmp_path, separator="\\t" if separator == "\t" else separator)
    for shards in (source.shards, pickle.loads(pickle.dumps(source.shards))):
        rows = [row for shard in shards for row in shard.read(refuse_row)]
        assert [row.path for row in rows] == ["a.jpg", "a.jpg"]
        assert [row.record["captions"] for row in rows] == [["['plain' text]"], ['x\n"y"']]


def test_lists_come_before_a_single_caption(tmp_path):
    path = table(tmp_path, "filepath,caption,captions\na.jpg,one,\"['x', 'y']\"\n")
    (row,) = table_source("captions", path, tmp_path).read(refuse_row)
    assert row.record["captions"] == ["x", "y"]


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n"])
def test_separators_that_are_none(tmp_path, separator):
    with pytest.raises(NegjaxError, match=r"--csv-separator .*: it must be one character"):
        table_source("captions", table(tmp_path, "filepath,captions\na.jpg,['x']\n"), tmp_path, separator=separator)


def test_negatives_are_never_left_out_silently(tmp_path):
    path = table(tmp_path, "filepath,caption,negative_captions\na.jpg,one,\"['no x']\"\n")
    with pytest.raises(
        NegjaxError, match=r"negative_captions, which --kind captions would leave out; .* --kind negcap"
    ):
        table_source("captions", path, tmp_path)
    both = table(tmp_path, "filepath,captions,caption,negative_captions\na.jpg,\"['x']\",one,\"['no x']\"\n")
    (row,) = table_source("captions", both, tmp_path).read(refuse_row)
    assert row.record["captions"] == ["x"]
