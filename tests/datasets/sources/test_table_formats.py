"""One table as CSV, Parquet and JSON lines: the same rows, records, sets and errors; other formats are named."""

import csv
import gzip
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import run_command
from support.images import noise_jpeg
from support.tars import write_tar

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.joined_questions import with_questions
from negjax.datasets.sources.rows import refuse_row
from negjax.datasets.sources.table_formats import open_table
from negjax.datasets.sources.table_source import read_rows, table_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError

ROWS = 12
CAPTIONS = [
    {
        "note": i,
        "filepath": f"/mnt/x/{i}.jpg",
        "captions": [f"It's {i}", 'a "b", c\n', "é 漢"][: 1 + i % 3],
        "positive_objects": ["cat"] if i % 2 else [""],
        "negative_objects": [] if i % 5 else ["dog", "mat"],
    }
    for i in range(ROWS)
]
NEGCAP = [
    {"caption": f"a {i}", "negative_captions": ["no cat", f"not {i}"], "filepath": f"{i}.jpg"} for i in range(ROWS)
]
QUESTIONS = [
    {
        "caption_0": f"a {i}",
        "caption_1": "no b",
        "caption_2": i,
        "correct_answer": i % 3,
        "correct_answer_template": None if i == 3 else "hybrid",
        "image_path": f"elsewhere/{i}.jpg",
        "score": float("nan") if i == 2 else i / 4,
    }
    for i in range(ROWS)
]
PAIRS = [{"filepath": f"{i}.jpg", "caption": f"{i} cats", "negative_caption": f"no {i}"} for i in range(ROWS)]
TABLES = {"captions": CAPTIONS, "negcap": NEGCAP, "questions": QUESTIONS, "pairs": PAIRS}


def write_json(path: Path, rows: list[dict]) -> Path:
    path.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def write_parquet(path: Path, rows: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=5)
    return path


def write(folder: Path, name: str, rows: list[dict]) -> dict[str, Path]:
    """The table in every format; CSV as pandas writes it, with lists as Python prints them."""
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{key: "" if value != value else value for key, value in row.items()} for row in rows])
    parquet, lines = (folder / f"{name}.{suffix}" for suffix in ("parquet", "jsonl"))
    return {"csv": path, "parquet": write_parquet(parquet, rows), "jsonl": write_json(lines, rows)}


@pytest.fixture
def media(tmp_path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for i in range(ROWS):
        (folder / f"{i}.jpg").write_bytes(noise_jpeg(i))
    return folder


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("shard_rows", [0, 1, 4])
def test_rows_are_those_of_the_csv_file(tmp_path, kind, shard_rows):
    paths = write(tmp_path, kind, TABLES[kind])
    sources = {suffix: table_source(kind, path, tmp_path, shard_rows) for suffix, path in paths.items()}
    expected = list(sources.pop("csv").read(refuse_row))
    assert len(expected) == ROWS
    for source in sources.values():
        assert list(source.read(refuse_row)) == expected
        assert source.rows == ROWS
        assert [shard.rows for shard in source.shards] == [shard_rows] * (ROWS // shard_rows) if shard_rows else [ROWS]
        backwards = [list(shard.read(refuse_row)) for shard in reversed(pickle.loads(pickle.dumps(source.shards)))]
        assert [row for shard in reversed(backwards) for row in shard] == expected


def test_sets_are_the_same(tmp_path, media):
    sets = {}
    for kind in ("captions", "questions", "pairs"):
        for suffix, path in write(tmp_path, kind, TABLES[kind]).items():
            source = table_source(kind, path, media)
            build_evaluation_set(source, f"{kind}_{suffix}", tmp_path / "sets", progress=False)
            sets[suffix] = open_set(tmp_path / "sets", f"{kind}_{suffix}")
        rows = list(sets["csv"].rows())
        for other in sets.values():
            assert other.fingerprint == sets["csv"].fingerprint
            assert list(other.rows()) == rows
            assert other.metadata["content"] == sets["csv"].metadata["content"]
    assert rows[7]["options"] == ["7 cats", "no 7"]


@pytest.mark.parametrize("captions", ["csv", "parquet", "jsonl"])
def test_training_sets_with_joined_questions_are_the_same(tmp_path, media, captions):
    first, second = write(tmp_path, "negcap", NEGCAP), write(tmp_path, "questions", QUESTIONS[::-1])
    contents = []
    for suffix in ("csv", captions):
        source = with_questions(table_source("negcap", first[suffix], media, 5), second[suffix])
        build_training_set(source, suffix, tmp_path / "sets", progress=False, overwrite=True)
        assert {path.name for path in (tmp_path / "sets").iterdir()} <= {"csv", suffix}
        contents.append(open_set(tmp_path / "sets", suffix).metadata["content"])
    assert contents[0] == contents[1]
    assert [row["options"][0] for row in open_set(tmp_path / "sets", captions).rows()] == [
        f"a {i}" for i in range(ROWS)
    ]


def test_the_command_reads_them(tmp_path, media, capsys):
    paths = write(tmp_path, "captions", CAPTIONS)
    for suffix in ("parquet", "jsonl"):
        words = ["data", "build", "--kind", "captions", "--csv", paths[suffix], "--media-root", media]
        code, out, err = run_command(capsys, *words, "--name", suffix, "--data-dir", tmp_path / "sets")
        assert (code, out.startswith(f"{suffix}: 12 rows in ")) == (0, True), err
        code, _, err = run_command(capsys, *words, "--csv-separator", ";", "--name", "x", "--data-dir", tmp_path / "s")
        assert (code, f"captions.{suffix} is not a CSV file: leave --csv-separator out" in err) == (2, True)


@pytest.mark.parametrize("write_table", [write_parquet, write_json])
@pytest.mark.parametrize(
    ("kind", "changed", "expected"),
    [
        ("captions", {"captions": ["x", None]}, "column captions is not a Python or JSON list of texts"),
        ("captions", {"captions": []}, "column captions is an empty list"),
        ("captions", {"captions": None}, "column captions is not a Python or JSON list of texts: ''"),
        ("captions", {"filepath": None}, "column filepath or image_path is empty"),
        (
            "captions",
            {"filepath": {"bytes": "x", "path": "y"}},
            "column filepath holds an object with the keys byt",
        ),
        ("pairs", {"caption": ["x"]}, "column caption holds a list where a text belongs"),
        ("pairs", {"negative_caption": {"a": {"b": "c"}}}, "column negative_caption holds an object with the keys a w"),
        ("questions", {"correct_answer": 0.5}, "column correct_answer: '0.5' is not a whole number"),
        ("questions", {"correct_answer": True}, "column correct_answer: 'True' is not a number"),
        ("questions", {"correct_answer": 7}, "column correct_answer: answer 7 is not one of the options 0 to 2"),
    ],
)
def test_faults_are_named_by_file_row_and_column(tmp_path, write_table, kind, changed, expected):
    is_json = write_table is write_json  # in Parquet a column has one type: all rows are changed, the first is named
    rows = [row | changed if not is_json or i == 3 else row for i, row in enumerate(TABLES[kind])]
    path = write_table(tmp_path / "bad", rows)
    with pytest.raises(NegjaxError) as caught:
        list(table_source(kind, path, tmp_path).read(refuse_row))
    assert f"bad {'row 3 (line 7)' if is_json else 'row 0'}: " in str(caught.value)
    assert expected in str(caught.value)
    skipped: list[tuple] = []
    left = list(table_source(kind, path, tmp_path).read(lambda *reason: skipped.append(reason)))
    assert {reason for reason, *_ in skipped} == {"invalid"}
    assert (len(left), len(skipped)) == ((ROWS - 1, 1) if is_json else (0, ROWS))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"filepath": "a.jpg", "captions": ["x"]', "its line is not JSON (Expecting ',' delimiter at character 40)"),
        (b'{"filepath": "a.jpg", "captions": ["x"], "captions": ["y"]}', "it has the key 'captions' twice"),
        (b'["a.jpg", "x"]', "its line is not a JSON object"),
        (b'{"captions": ["x"]}', "column filepath or image_path is empty"),
        (b'{"filepath": "a.jpg"}', "the column 'captions' is missing"),
        (b'{"filepath": "a.jpg", "captions": ["\xe9"]}', "its line is not UTF-8 text"),
        (b'{"filepath": "a.jpg", "captions": ["\\ud800"]}', "column captions is not a Python or JSON list of texts"),
        (b'{"filepath": "\\ud800.jpg", "captions": ["x"]}', "column filepath is not valid Unicode"),
        (b'{"filepath": "a.jpg", "captions": ' + b"[" * 200_000, "it is nested too deeply"),
    ],
)
def test_a_bad_line_is_named_and_can_be_skipped(tmp_path, line, expected):
    path, good = tmp_path / "t.jsonl", b'{"filepath": "a.jpg", "captions": ["x"]}'
    path.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n\n" + line + b"\n" + good)
    with pytest.raises(NegjaxError) as caught:
        list(read_rows(path, "captions"))
    assert f"t.jsonl row 1 (line 3): {expected}" in str(caught.value)
    skipped: list[int] = []
    rows = list(table_source("captions", path, tmp_path).read(lambda reason, row, why: skipped.append(row)))
    assert ([row.index for row in rows], skipped) == ([0, 2], [1])


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("negjax.datasets.sources.json_lines.MAX_LINE_BYTES", 50)
    path, good = tmp_path / "t.jsonl", '{"filepath": "a.jpg", "captions": ["x"]}\n'
    path.write_text(good + good.replace("x", "x" * 60))
    with pytest.raises(NegjaxError, match=r"t\.jsonl row 1 \(line 2\): a line has at most 50 bytes"):
        list(read_rows(path, "captions"))


def test_columns_that_no_layout_reads_are_not_decoded(tmp_path):
    """Pictures in a column, as Hugging Face's files have them, and a broken page of it."""
    pictures = [{"bytes": noise_jpeg(i), "path": None} for i in range(ROWS)]
    table = pa.Table.from_pylist([row | {"image": image} for row, image in zip(CAPTIONS, pictures)])
    pq.write_table(table, tmp_path / "t.parquet", compression="none", use_dictionary=False)
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    at = data.index(noise_jpeg(0)) - 20
    data[at : at + 8] = b"\xff" * 8
    (tmp_path / "t.parquet").write_bytes(data)
    assert [row.path for row in read_rows(tmp_path / "t.parquet", "captions")] == [row["filepath"] for row in CAPTIONS]
    pq.write_table(pa.table({"image": pictures, "text": ["x"] * ROWS}), tmp_path / "p.parquet")
    assert [row.path for row in read_rows(tmp_path / "p.parquet", "text")] == [f"p/{i}" for i in range(ROWS)]
    pq.write_table(pa.table({"image": [b"picture"] * ROWS, "text": ["x"] * ROWS}), tmp_path / "p.parquet")
    with pytest.raises(
        NegjaxError, match=r"has no column filepath or image_path, captions, .*it has: image \(pictures\), text"
    ):
        list(read_rows(tmp_path / "p.parquet", "captions"))


def test_damaged_and_odd_parquet_files(tmp_path):
    path = write(tmp_path, "t", CAPTIONS)["parquet"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(NegjaxError, match=r"t\.parquet cannot be read as Parquet \(.*\): write it again"):
        table_source("captions", path, tmp_path)
    path.write_bytes(whole[:40] + b"\xff" * 400 + whole[440:])
    with pytest.raises(NegjaxError, match=r"t\.parquet cannot be read as Parquet"):
        list(table_source("captions", path, tmp_path).read(refuse_row))
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.int32([0, 2])), pa.py_buffer(b"\xff\xfe")])
    pq.write_table(pa.table({"filepath": broken, "captions": [["x"]]}), path)
    with pytest.raises(NegjaxError, match=r"t\.parquet has texts that are not UTF-8"):
        list(read_rows(path, "captions"))
    pq.write_table(pa.Table.from_pylist(CAPTIONS).slice(0, 0), path)
    with pytest.raises(NegjaxError, match=r"t\.parquet has no rows to make a set of"):
        table_source("captions", path, tmp_path)


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").writestr(zipfile.ZipInfo("a.csv"), "x")  # without the time
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv.gz", gzip.compress(b"filepath,captions\n", mtime=0), "unpack it with gunzip"),
        ("t.tar.gz", gzip.compress(b"x", mtime=0), "it is a compressed tar file: unpack it with tar -xzf"),
        ("t.jsonl.zst", b"\x28\xb5\x2f\xfd", "unpack it with unzstd"),
        ("t.zip", zip_bytes(), "it is a ZIP archive: unpack it"),
        ("t.xlsx", zip_bytes(), "it is an Excel file: save it as CSV"),
        ("t.npz", zip_bytes(), "it is a NumPy archive: write a CSV file"),
        ("t.csv", b'[{"filepath": "a.jpg"}]', "it is a JSON list: give a benchmark's file as --json, or write lines"),
        ("t.json", b'{\n "images": [\n', "one JSON document, .* COCO's captions or a benchmark's file as --json"),
        ("t.json", b'{"images": [], "annotations": []}', "one JSON document, .* COCO's captions or a benchmark's file"),
    ],
)
def test_files_of_other_formats(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NegjaxError, match=rf"{name} is .*{expected}"):
        open_table(tmp_path / name)


def test_a_tar_file_is_no_table(tmp_path):
    tar = write_tar(tmp_path / "0.tar", {"0.jpg": noise_jpeg(0)})
    with pytest.raises(NegjaxError, match=r"0\.tar is not a .*: it is a tar file: give the shards .* as --webdataset"):
        open_table(tar)
