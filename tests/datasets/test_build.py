"""Sets from CSV files and real images: counts are checked against the csv module and pathlib."""

import ast
import csv
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from negjax.datasets.build import build_from_csv
from negjax.datasets.store import open_set
from negjax.errors import NegjaxError

DATA = Path(os.environ.get("NEGJAX_TEST_DATA", "../shared/data"))


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), shade).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def media(tmp_path) -> Path:
    """Two images, and one that is cut."""
    folder = tmp_path / "media" / "val"
    folder.mkdir(parents=True)
    for shade, name in enumerate(["a.jpg", "b.jpg"], 50):
        (folder / name).write_bytes(jpeg(shade))
    (folder / "cut.jpg").write_bytes(jpeg(70)[:600])
    return tmp_path / "media"


def table(tmp_path: Path, files: list[str], name: str = "table.csv", caption: str = "x") -> Path:
    path = tmp_path / name
    lines = [f"""/mnt/data/val/{file},"['{caption}', 'no y {i}']"\n""" for i, file in enumerate(files)]
    path.write_text("filepath,captions\n" + "".join(lines))
    return path


def build(path: Path, media: Path, kind: str = "captions", **more):
    return build_from_csv(kind, path, media, "built", path.parent / "sets", progress=False, **more)


def test_captions(tmp_path, media):
    built = build(table(tmp_path, ["b.jpg", "a.jpg", "b.jpg"], caption=""), media)
    assert (built.rows, built.written, built.missing, built.broken) == (3, 3, 0, 0)
    assert built.notes == ("empty captions: 3, kept and scored like the others",)
    data = open_set(tmp_path / "sets", "built")
    assert [row["media"] for row in data.rows()] == [
        (media / "val" / name).read_bytes() for name in ("b.jpg", "a.jpg", "b.jpg")
    ]
    assert [row["captions"] for row in data.rows()] == [["", f"no y {i}"] for i in range(3)]
    assert [row["group"] for row in data.rows()] == [0, 0, 0]
    assert data.metadata["task_kind"] == "retrieval"
    assert data.metadata["negated"] is False


def test_missing_files_end_the_build_unless_skipped(tmp_path, media):
    path = table(tmp_path, ["lost.jpg"] * 25 + ["a.jpg", "gone.jpg", "b.jpg"])
    with pytest.raises(NegjaxError, match=r"26 of 28 rows name files that are not below .* row 0, .*lost.jpg; .*skip"):
        build(path, media)
    assert not (tmp_path / "sets").exists()
    built = build(path, media, skip_missing=True)
    assert (built.written, built.missing) == (2, 26)
    assert built.notes == (f"left out 26 of 28 rows: their files are not below {media}",)
    data = open_set(tmp_path / "sets", "built")
    assert [row["id"] for row in data.rows()] == [25, 27]
    skipped = data.metadata["skipped"]
    assert skipped["missing"]["count"] == 26
    assert skipped["missing"]["first"] == [{"row": i, "file": "/mnt/data/val/lost.jpg"} for i in range(20)]
    assert skipped["broken"] == {"count": 0, "first": []}


def test_broken_images_likewise(tmp_path, media):
    path = table(tmp_path, ["a.jpg", "cut.jpg", "lost.jpg", "cut.jpg"])
    with pytest.raises(NegjaxError, match="1 of 4 rows name files that are not below"):
        build(path, media)
    path = table(tmp_path, ["a.jpg", "cut.jpg", "cut.jpg"])
    with pytest.raises(
        NegjaxError, match=r"2 of 3 rows name images that cannot be decoded .* row 1, .*cut.jpg"
    ) as caught:
        build(path, media)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sets").exists()
    built = build(path, media, skip_missing=True)
    assert (built.written, built.missing, built.broken) == (1, 0, 2)
    assert "left out 2 of 3 rows: their images cannot be decoded" in built.notes[0]
    data = open_set(tmp_path / "sets", "built")
    assert data.metadata["skipped"]["broken"]["first"][0] == {"row": 1, "file": "/mnt/data/val/cut.jpg"}


def test_nothing_found_is_an_error_even_when_skipping(tmp_path, media):
    with pytest.raises(NegjaxError, match="no row of 2 has a whole image below"):
        build(table(tmp_path, ["cut.jpg", "lost.jpg"]), media, skip_missing=True)
    with pytest.raises(NegjaxError, match="has no rows below its header"):
        build(table(tmp_path, []), media)


@pytest.mark.parametrize(
    ("name", "flag", "negated", "noted"),
    [
        ("COCO_val_retrieval.csv", None, False, False),
        ("COCO_val_retrieval.csv", True, True, False),
        ("COCO_val_negated_retrieval.csv", None, True, True),
        ("msr_vtt_retrieval_rephrased_llama.csv", None, True, True),
    ],
)
def test_negated_by_flag_or_by_published_name(tmp_path, media, name, flag, negated, noted):
    built = build(table(tmp_path, ["a.jpg"], name), media, negated=flag)
    assert open_set(tmp_path / "sets", "built").metadata["negated"] is negated
    assert any(name in note for note in built.notes) is noted


@pytest.mark.parametrize(
    ("options", "name", "task_kind", "negated"),
    [
        (4, "t.csv", "mcq", True),
        (2, "chexpert_affirmation_binary_mcq.csv", "binary_mcq", False),
        (2, "chexpert_negation_binary_mcq.csv", "binary_mcq", True),
    ],
)
def test_questions(tmp_path, media, options, name, task_kind, negated):
    path = tmp_path / name
    captions = [f"caption_{i}" for i in range(options)]
    path.write_text(
        ",".join(["image_path", "correct_answer", *captions])
        + "\n"
        + "val/a.jpg,1,"
        + ",".join(captions)
        + "\n"
        + "val/b.jpg,0,"
        + ",".join(captions)
        + "\n"
    )
    build(path, media, "questions")
    data = open_set(tmp_path / "sets", "built")
    assert (data.metadata["task_kind"], data.metadata["negated"]) == (task_kind, negated)
    assert [row["options"] for row in data.rows()] == [captions] * 2
    assert [(row["answer"], row["group"], row["kind"]) for row in data.rows()] == [(1, 0, ""), (0, 1, "")]


def test_negcap(tmp_path, media):
    path = tmp_path / "negcap.csv"
    path.write_text("""filepath,caption,negative_captions\nval/a.jpg,x,"['no y', 'no z']"\n""")
    build(path, media, "negcap")
    data = open_set(tmp_path / "sets", "built")
    assert data.fields == ("captions", "negated_captions")
    assert data.metadata["task_kind"] == "train"
    assert (data[0]["captions"], data[0]["negated_captions"]) == (["x"], ["no y", "no z"])


def test_bad_arguments_come_before_the_work(tmp_path, media):
    path = table(tmp_path, ["a.jpg"])
    with pytest.raises(NegjaxError, match="--kind pairs: there are captions, negcap, questions"):
        build(path, media, "pairs")
    with pytest.raises(NegjaxError, match="--media-root"):
        build(path, tmp_path / "absent")
    with pytest.raises(NegjaxError, match="it has: filepath, captions"):
        build(path, media, "questions")
    build(path, media)
    with pytest.raises(NegjaxError, match="exists already"):
        build(path, media)
    assert build(path, media, overwrite=True).written == 1


@pytest.mark.skipif(not DATA.exists(), reason=f"no {DATA}")
@pytest.mark.parametrize(
    ("kind", "name", "negated"),
    [
        ("questions", "COCO_val_mcq_llama3.1_rephrased.csv", True),
        ("captions", "COCO_val_retrieval.csv", False),
        ("captions", "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", True),
    ],
)
def test_coco(tmp_path, kind, name, negated):
    path, media = DATA / "negbench" / "images" / name, DATA / "coco_val2017"
    with pytest.raises(NegjaxError, match="rows name files that are not below"):
        build_from_csv(kind, path, media, "coco", tmp_path, progress=False)
    built = build_from_csv(kind, path, media, "coco", tmp_path, skip_missing=True, progress=False)
    photographs = {file.name: file for file in media.glob("*.jpg")}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    column = "image_path" if kind == "questions" else "filepath"
    expected = [(i, row) for i, row in enumerate(rows) if Path(row[column]).name in photographs]
    data = open_set(tmp_path, "coco")
    assert built.rows == len(rows)
    assert built.written == len(data) == len(expected)
    assert data.metadata["negated"] is negated
    for record, (i, row) in zip(data.rows(), expected):
        assert record["id"] == i
        assert record["media"] == photographs[Path(row[column]).name].read_bytes()
        if kind == "captions":
            assert record["captions"] == ast.literal_eval(row["captions"])
        else:
            assert record["options"] == [row[f"caption_{k}"] for k in range(4)]
