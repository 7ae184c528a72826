"""Benchmarks of pairs from JSON: the files as published, every fault in them, and the sets made of them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import noise_image

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.outcome import BuiltSet
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.rows import Row, refuse_row
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError

SUGAR = {"filename": "a.png", "caption": "a cat", "negative_caption": "a cat and a dog"}
VALSE = {"image_file": "a.png", "caption": "no cats", "foil": "cats", "mturk": {"foil": 0, "caption": 3, "other": 0}}
BOXES = {
    "image": "a.png",
    "phrase": "the one without a hat",
    "ref_bbox": [4, 2.5, 10, 8],
    "bbox_list": [[0, 0, 40.4, 30], [4, 2.5, 10, 8], [-3, 20, 13, 500], [0, 0, 40.4, 30]],
}


def save(folder: Path, content: object) -> Path:
    path = folder / "pairs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def media(tmp_path) -> Path:
    (tmp_path / "media").mkdir()
    noise_image(0, (40, 30)).save(tmp_path / "media" / "a.png")
    return tmp_path / "media"


def read_pairs(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    """The fields of a set built from the file, and all rows."""
    source = json_source(path, path.parent)
    return source.fields, list(source.read(refuse_row))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def build_pairs(path: Path, media: Path, **more: bool) -> BuiltSet:
    return build_evaluation_set(json_source(path, media), "built", path.parent / "sets", progress=False, **more)


def test_the_published_files(test_data):
    formats = test_data / "formats"
    for name, file, wrong in [
        ("sugarcrepe_add_obj", "filename", "negative_caption"),
        ("valse_existence", "image_file", "foil"),
    ]:
        items = list(json.loads((formats / f"{name}.json").read_text()).values())
        fields, rows = read_pairs(formats / f"{name}.json")
        assert fields == ("question",)
        assert [row.path for row in rows] == [item[file] for item in items]
        assert [row.record["options"] for row in rows] == [[item["caption"], item[wrong]] for item in items]
        assert [row.record["id"] for row in rows] == list(range(len(items)))
        assert {row.record["answer"] for row in rows} == {0}
        if name == "valse_existence":
            votes = [item["mturk"]["caption"] for item in items]
            assert [row.valid for row in rows] == [vote >= 2 for vote in votes]
            assert sum(row.valid for row in rows) == 19
    items = json.loads((formats / "negrefcocog.json").read_text())
    fields, rows = read_pairs(formats / "negrefcocog.json")
    assert fields == ("captions",)
    assert [list(row.box) for row in rows] == [box for item in items for box in item["bbox_list"]]
    assert [row.record["group"] for row in rows] == [i for i, item in enumerate(items) for _ in item["bbox_list"]]
    for row in rows:
        item = items[row.record["group"]]
        assert row.path == item["image"]
        assert row.record["captions"] == ([item["phrase"]] if list(row.box) == item["ref_bbox"] else [])


def test_a_question_of_two_captions(tmp_path, media):
    built = build_pairs(save(tmp_path, [SUGAR, SUGAR | {"caption": "two cats"}]), media)
    data = open_set(tmp_path / "sets", "built")
    assert (built.rows, built.written) == (2, 2)
    assert [row["options"] for row in data.rows()] == [["a cat", "a cat and a dog"], ["two cats", "a cat and a dog"]]
    assert [(row["id"], row["group"], row["answer"], row["option_kinds"]) for row in data.rows()] == [
        (0, 0, 0, []),
        (1, 1, 0, []),
    ]
    assert (data.metadata["task_kind"], data.metadata["negated"]) == ("pairs", False)
    assert "crops" not in data.metadata
    assert data.metadata["source"]["kind"] == "pairs"
    assert (data.metadata["source"]["file"], data.metadata["source"]["rows"]) == ("pairs.json", 2)


def test_items_of_valse_that_people_found_wrong_are_left_out_and_counted(tmp_path, media):
    doubtful = VALSE | {"mturk": {"foil": 2, "caption": 1, "other": 0}, "image_file": "absent.png"}
    built = build_pairs(save(tmp_path, {"a": doubtful, "b": VALSE, "c": doubtful}), media)
    assert (built.rows, built.written, built.skipped["invalid"], built.skipped["missing"]) == (3, 1, 2, 0)
    assert "skipped 2 of 3 rows: their benchmark does not count them (the first is row 0: absent.png)" in built.notes
    data = open_set(tmp_path / "sets", "built")
    assert [(row["id"], row["options"]) for row in data.rows()] == [(1, ["no cats", "cats"])]
    assert data.metadata["negated"] is True
    assert data.metadata["source"]["rows"] == 3
    assert data.metadata["skipped"]["invalid"] == {
        "count": 2,
        "first": [{"row": 0, "file": "absent.png"}, {"row": 2, "file": "absent.png"}],
    }
    with pytest.raises(NegjaxError, match="has no valid rows"):
        build_pairs(save(tmp_path, [doubtful]), media, overwrite=True)


def test_boxes_become_images_of_their_own(tmp_path, media):
    """Edges are rounded half to even, as Pillow's crop does, and cut at the image's."""
    built = build_pairs(
        save(tmp_path, [BOXES, BOXES | {"image": "absent.png"}, BOXES | {"phrase": "x"}]), media, skip_missing=True
    )
    data = open_set(tmp_path / "sets", "built")
    assert (built.rows, built.written, built.skipped["missing"]) == (3, 6, 1)
    assert (data.metadata["task_kind"], data.metadata["crops"], data.fields) == ("pairs", True, ("captions",))
    assert [(row["id"], row["group"]) for row in data.rows()] == [(0, 0), (1, 0), (2, 0), (6, 2), (7, 2), (8, 2)]
    assert [row["captions"] for row in data.rows()] == [[], ["the one without a hat"], [], [], ["x"], []]
    whole = np.asarray(Image.open(media / "a.png"))
    for row, expected in zip(data.rows(), [whole, whole[2:10, 4:14], whole[20:, :10]] * 2):
        np.testing.assert_array_equal(pixels(row["media"]), expected)
    assert data.lengths("captions").longest_R.tolist() == [0, 7, 0, 0, 3, 0]


@pytest.mark.parametrize("box", [[40, 0, 5, 5], [0, -9, 5, 9], [3.1, 0, 0.2, 9]])
def test_a_box_outside_its_image_names_its_row(tmp_path, media, box):
    path = save(tmp_path, [BOXES, BOXES | {"bbox_list": [BOXES["ref_bbox"], box]}])
    with pytest.raises(NegjaxError, match=r"pairs.json row 1: the box .* has no area in an image of 40 x 30"):
        build_pairs(path, media, skip_missing=True)
    assert not (tmp_path / "sets").exists()


def test_boxes_are_not_cut_from_clips(tmp_path, media):
    with pytest.raises(NegjaxError, match=r"row 0: a.mp4 is a clip, but boxes are cut from images"):
        build_pairs(save(tmp_path, [BOXES | {"image": "a.mp4"}]), media)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "cannot be read as JSON"),
        ("3", "is not a list or an object of JSON objects"),
        (["x"], "is not a list or an object of JSON objects"),
        ([], "has no items"),
        ({}, "has no items"),
        ([{"a": 1, "b": 2}], "its items have a, b; known are SugarCrepe: caption, filename, negative_caption; VALSE: "),
        ([SUGAR, {"filename": "a", "caption": "x"}], "item 1: the key 'negative_caption' is missing"),
        ([SUGAR | {"caption": 3}], "item 0: caption is not a text: 3"),
        ([SUGAR | {"caption": None}], "item 0: caption is not a text: None"),
        ([SUGAR | {"filename": " "}], "item 0: filename is empty"),
        ([VALSE | {"mturk": 3}], "item 0: mturk.caption is not a number of votes"),
        ([VALSE | {"mturk": {"caption": "3"}}], "item 0: mturk.caption is not a number of votes"),
        ([BOXES | {"bbox_list": 3}], "item 0: bbox_list is not a list of boxes"),
        ([BOXES | {"bbox_list": [[1, 2, 3]]}], "item 0: bbox_list is not four numbers, x, y, width, height: [1, 2, 3]"),
        ([BOXES | {"ref_bbox": [1, 2, 3, True]}], "item 0: ref_bbox is not four numbers"),
        ([BOXES | {"ref_bbox": [1, 2, 3, "4"]}], "item 0: ref_bbox is not four numbers"),
        ([BOXES | {"ref_bbox": [1, 2, 0, 4]}], "item 0: the box [1, 2, 0, 4] (x, y, width, height) has no area"),
        ("[" + json.dumps(BOXES | {"ref_bbox": [1, 2, float("nan"), 4]}) + "]", "item 0: the box [1, 2, nan, 4]"),
        ([BOXES | {"ref_bbox": [9, 9, 9, 9]}], "item 0: bbox_list does not hold ref_bbox and another box"),
        ([BOXES | {"bbox_list": [[4, 2.5, 10, 8]] * 2}], "item 0: bbox_list does not hold ref_bbox and another box"),
    ],
)
def test_faults_are_named(tmp_path, content, expected):
    path = save(tmp_path, content)
    with pytest.raises(NegjaxError) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path, media):
    with pytest.raises(NegjaxError, match=r"cannot read .*absent.json: No such file"):
        build_pairs(tmp_path / "absent.json", media)
    (tmp_path / "latin.json").write_bytes(b'["caf\xe9"]')
    with pytest.raises(NegjaxError, match="cannot be read as JSON"):
        read_pairs(tmp_path / "latin.json")
    with pytest.raises(
        NegjaxError, match=r"1 of 1 rows cannot be used: their images do not exist below .* row 0 \(lost.png\)"
    ):
        build_pairs(save(tmp_path, [SUGAR | {"filename": "lost.png"}]), media)


@pytest.mark.parametrize(
    "extra", ['"0": {"filename": "b.jpg", "caption": "z", "negative_caption": "w"}', '"1": {"a": 1, "a": 2}']
)
def test_a_key_that_is_there_twice_would_lose_a_row(tmp_path, extra):
    path = tmp_path / "twice.json"
    path.write_text('{"0": {"filename": "a.jpg", "caption": "x", "negative_caption": "y"}, ' + extra + "}")
    with pytest.raises(NegjaxError, match=r"twice\.json cannot be read as JSON \(it has the key '[0a]' twice"):
        json_source(path, tmp_path)
