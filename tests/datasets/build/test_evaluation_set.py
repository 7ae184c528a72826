"""Sets from CSV files and real images: counts are checked against the csv module and pathlib."""

import ast
import csv
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import noise_jpeg

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


@pytest.fixture
def media(tmp_path) -> Path:
    """Two images, and one that is cut."""
    folder = tmp_path / "media" / "val"
    folder.mkdir(parents=True)
    for shade, name in enumerate(["a.jpg", "b.jpg"], 50):
        (folder / name).write_bytes(noise_jpeg(shade))
    (folder / "cut.jpg").write_bytes(noise_jpeg(70)[:600])
    return tmp_path / "media"


def table(tmp_path: Path, files: list[str], name: str = "table.csv", caption: str = "x") -> Path:
    path = tmp_path / name
    lines = [f"""/mnt/data/val/{file},"['{caption}', 'no y {i}']"\n""" for i, file in enumerate(files)]
    path.write_text("filepath,captions\n" + "".join(lines))
    return path


def build(path: Path, media: Path, kind: str = "captions", **more):
    return build_from_csv(kind, path, media, "built", path.parent / "sets", progress=False, **more)


def test_captions(tmp_path, media):
    (media / "val" / "c.jpg").write_bytes(noise_jpeg(52))
    built = build(table(tmp_path, ["b.jpg", "a.jpg", "c.jpg"], caption=""), media)
    assert (built.rows, built.written, built.skipped["missing"], built.skipped["broken"]) == (3, 3, 0, 0)
    assert built.notes == (
        "counted as affirmative: 50% of its captions hold a negation word; change it with --negated",
        "empty texts: 3, kept like the others",
    )
    data = open_set(tmp_path / "sets", "built")
    assert [row["media"] for row in data.rows()] == [
        (media / "val" / name).read_bytes() for name in ("b.jpg", "a.jpg", "c.jpg")
    ]
    assert [row["captions"] for row in data.rows()] == [["", f"no y {i}"] for i in range(3)]
    assert [row["group"] for row in data.rows()] == [0, 0, 0]
    assert data.metadata["task_kind"] == "retrieval"
    assert data.metadata["negated"] is False


def test_missing_files_end_the_build_unless_skipped(tmp_path, media):
    path = table(tmp_path, ["lost.jpg"] * 25 + ["a.jpg", "gone.jpg", "b.jpg"])
    with pytest.raises(
        NegjaxError,
        match=r"26 of 28 rows cannot be used: their images do not exist below .* row 0 .*lost.jpg\); .*skip",
    ):
        build(path, media)
    assert not (tmp_path / "sets").exists()
    built = build(path, media, skip_missing=True)
    assert (built.written, built.skipped["missing"]) == (2, 26)
    assert built.notes[1:] == (
        f"skipped 26 of 28 rows: their images do not exist below {media} (the first is row 0: /mnt/data/val/lost.jpg)",
    )
    data = open_set(tmp_path / "sets", "built")
    assert [row["id"] for row in data.rows()] == [25, 27]
    skipped = data.metadata["skipped"]
    assert skipped["missing"]["count"] == 26
    assert skipped["missing"]["first"] == [{"row": i, "file": "/mnt/data/val/lost.jpg"} for i in range(20)]
    assert skipped["broken"] == {"count": 0, "first": []}


def test_broken_images_likewise(tmp_path, media):
    path = table(tmp_path, ["a.jpg", "cut.jpg", "lost.jpg", "cut.jpg"])
    with pytest.raises(NegjaxError, match="1 of 4 rows cannot be used: their images do not exist below"):
        build(path, media)
    path = table(tmp_path, ["a.jpg", "cut.jpg", "cut.jpg"])
    with pytest.raises(
        NegjaxError, match=r"2 of 3 rows cannot be used: their images cannot be decoded .* row 1 .*cut.jpg"
    ) as caught:
        build(path, media)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sets").exists()
    built = build(path, media, skip_missing=True)
    assert (built.written, built.skipped["missing"], built.skipped["broken"]) == (1, 0, 2)
    assert "skipped 2 of 3 rows: their images cannot be decoded" in built.notes[1]
    data = open_set(tmp_path / "sets", "built")
    assert data.metadata["skipped"]["broken"]["first"][0] == {"row": 1, "file": "/mnt/data/val/cut.jpg"}


def test_nothing_found_is_an_error_even_when_skipping(tmp_path, media):
    with pytest.raises(NegjaxError, match=r"no image of its 2 rows exists below .* and can be decoded"):
        build(table(tmp_path, ["cut.jpg", "lost.jpg"]), media, skip_missing=True)
    with pytest.raises(NegjaxError, match="has no rows to make a set of"):
        build(table(tmp_path, []), media)


@pytest.mark.parametrize(
    ("captions", "flag", "negated", "noted"),
    [
        (["a cat", "a dog", "a cat without a dog"], None, False, "counted as affirmative: 33% of its captions"),
        (["a cat, no dog", "it is not here", "a cat"], None, True, "counted as negated: 67% of its captions"),
        (["a cat", "a dog"], "yes", True, None),
        (["no cat", "no dog"], "no", False, None),
    ],
)
def test_negated_by_flag_or_by_the_captions(tmp_path, media, captions, flag, negated, noted):
    path = tmp_path / "t.csv"
    path.write_text(f'filepath,captions\nval/a.jpg,"{captions}"\n')
    built = build(path, media, negated=None if flag is None else flag == "yes")
    assert open_set(tmp_path / "sets", "built").metadata["negated"] is negated
    assert [note.split(" hold")[0] for note in built.notes] == ([noted] if noted else [])


@pytest.mark.parametrize(
    ("options", "task_kind", "negated"),
    [
        (["a cat", "a dog"], "binary_mcq", False),
        (["a cat", "no cat"], "binary_mcq", True),
        (["a cat", "a dog", "a bird"], "mcq", False),
        (["a cat", "a dog", "no bird", "a bird but no dog"], "mcq", True),
    ],
)
def test_questions(tmp_path, media, options, task_kind, negated):
    path = tmp_path / "t.csv"
    columns = ",".join(f"caption_{i}" for i in range(len(options)))
    texts = ",".join(options)
    path.write_text(f"image_path,correct_answer,{columns}\nval/a.jpg,1,{texts}\nval/b.jpg,0.0,{texts}\n")
    build(path, media, "questions")
    data = open_set(tmp_path / "sets", "built")
    assert (data.metadata["task_kind"], data.metadata["negated"]) == (task_kind, negated)
    assert [row["options"] for row in data.rows()] == [options] * 2
    assert [(row["answer"], row["group"], row["kind"]) for row in data.rows()] == [(1, 0, ""), (0, 1, "")]
    assert [row["option_kinds"] for row in data.rows()] == [[], []]


@pytest.mark.parametrize(("name", "negated"), [("affirmation", False), ("negation", True)])
def test_chexpert_as_published(test_data, tmp_path, media, name, negated):
    """The X-rays are not here: one image stands for one of them."""
    path = test_data / "negbench" / "chexpert" / "Lung_Opacity" / f"chexpert_{name}_binary_mcq.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = [(i, row) for i, row in enumerate(rows) if "/patient64541/study1/view1_frontal.jpg" in row["image_path"]]
    place = tmp_path / "x" / "valid" / "patient64541" / "study1" / "view1_frontal.jpg"
    place.parent.mkdir(parents=True)
    place.write_bytes((media / "val" / "a.jpg").read_bytes())
    build_from_csv("questions", path, tmp_path / "x", "x", tmp_path / "sets", skip_missing=True, progress=False)
    data = open_set(tmp_path / "sets", "x")
    assert (data.metadata["task_kind"], data.metadata["negated"]) == ("binary_mcq", negated)
    assert [row["id"] for row in data.rows()] == [i for i, _ in asked]
    assert [(row["answer"], row["kind"], row["option_kinds"]) for row in data.rows()] == [
        (int(row["correct_answer"]), row["correct_answer_template"], []) for _, row in asked
    ]


def test_pairs_of_a_users_csv(tmp_path, media):
    path = tmp_path / "mine.csv"
    path.write_text("caption,image_path,negative_caption\na cat,val/a.jpg,no cat\na dog,val/b.jpg,a dog and no cat\n")
    build(path, media, "pairs")
    data = open_set(tmp_path / "sets", "built")
    assert (data.metadata["task_kind"], data.metadata["negated"], data.fields) == ("pairs", True, ("question",))
    assert [row["options"] for row in data.rows()] == [["a cat", "no cat"], ["a dog", "a dog and no cat"]]
    assert [(row["answer"], row["group"], row["kind"], row["option_kinds"]) for row in data.rows()] == [
        (0, 0, "", []),
        (0, 1, "", []),
    ]


def test_crepe(tmp_path, media):
    """Its columns and its reading of the box: crepe_eval_utils.py of github.com/RAIVNLab/CREPE."""
    for folder, name in [("VG_100K", "7.jpg"), ("VG_100K_2", "8.jpg")]:
        (tmp_path / "vg" / folder).mkdir(parents=True)
        (tmp_path / "vg" / folder / name).write_bytes((media / "val" / "a.jpg").read_bytes())
    path = tmp_path / "prod_vg_hard_negs_negate_complexity_4.csv"
    path.write_text(
        ",image_id,x,y,width,height,caption,hard_negs\n"
        """0,7,10,5,20,15,a cat,"['no cat', 'a cat, not a dog']"\n"""
        """1,8,0,0,40,30,a dog,"['no dog', 'not a dog']"\n"""
    )
    build(path, tmp_path / "vg", "pairs")
    data = open_set(tmp_path / "sets", "built")
    assert (data.metadata["task_kind"], data.metadata["negated"], data.metadata["crops"]) == ("pairs", True, True)
    assert data[0]["options"] == ["a cat", "no cat", "a cat, not a dog"]
    image = np.asarray(Image.open(media / "val" / "a.jpg").convert("RGB"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data[0]["media"]))), image[5:20, 10:30])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data[1]["media"]))), image)


def test_equal_images_are_kept_row_by_row_and_known_to_be_equal(tmp_path, media):
    (media / "val" / "copy.jpg").write_bytes((media / "val" / "a.jpg").read_bytes())
    build(table(tmp_path, ["a.jpg", "copy.jpg", "b.jpg"]), media)
    rows = list(open_set(tmp_path / "sets", "built").rows())
    assert [row["captions"][1] for row in rows] == ["no y 0", "no y 1", "no y 2"]
    first, *others = [row["media_sha256"] for row in rows]
    assert [other == first for other in others] == [True, False]


def test_bad_arguments_come_before_the_work(tmp_path, media):
    path = table(tmp_path, ["a.jpg"])
    with pytest.raises(
        NegjaxError, match="unknown --kind 'folder' of a table; choose one of captions, negcap, questions, pairs"
    ):
        build(path, media, "folder")
    (tmp_path / "negcap.csv").write_text("filepath,caption,negative_captions\nval/a.jpg,x,['y']\n")
    with pytest.raises(NegjaxError, match=r"negcap.csv \(--kind negcap\) is for training sets only: use --train"):
        build(tmp_path / "negcap.csv", media, "negcap")
    with pytest.raises(NegjaxError, match="--media-root"):
        build(path, tmp_path / "absent")
    with pytest.raises(NegjaxError, match="it has: filepath, captions"):
        build(path, media, "questions")
    build(path, media)
    with pytest.raises(NegjaxError, match="exists already"):
        build(path, media)
    assert build(path, media, overwrite=True).written == 1


@pytest.mark.parametrize(
    ("kind", "name", "negated"),
    [
        ("questions", "COCO_val_mcq_llama3.1_rephrased.csv", True),
        ("captions", "COCO_val_retrieval.csv", False),
        ("captions", "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", True),
    ],
)
def test_coco(test_data, tmp_path, kind, name, negated):
    path, media = test_data / "negbench" / "images" / name, test_data / "coco_val2017"
    with pytest.raises(NegjaxError, match="rows cannot be used: their images do not exist below"):
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
    assert data.metadata["source"] == {
        "kind": kind,
        "file": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows": len(rows),
        "media_root": str(media),
    }
    assert sum(part["count"] for part in data.metadata["skipped"].values()) == len(rows) - len(expected)
    for record, (i, row) in zip(data.rows(), expected):
        assert record["id"] == i
        assert record["media"] == photographs[Path(row[column]).name].read_bytes()
        if kind == "captions":
            assert record["captions"] == ast.literal_eval(row["captions"])
        else:
            assert record["options"] == [row[f"caption_{k}"] for k in range(4)]
