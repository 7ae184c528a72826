"""Labels of images as other people's files have them."""

import json
from pathlib import Path

import pytest

from negjax.datasets.labels.image_labels import ImageLabels, label_source
from negjax.datasets.labels.label_file import LabelReading, read_labels
from negjax.errors import NegjaxError

VOC = "<annotation><folder>VOC</folder><filename>{}</filename>{}</annotation>"
OBJECT = "<object><name>{}</name><difficult>1</difficult><part><name>head</name></part></object>"
COCO = {
    "images": [{"id": 7, "file_name": "000000000007.jpg"}, {"id": 9, "file_name": "000000000009.jpg"}],
    "categories": [{"id": 1, "name": "person"}, {"id": 88, "name": "teddy bear"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 88, "bbox": [0, 0, 1, 1]},
        {"id": 2, "image_id": 7, "category_id": 1, "iscrowd": 1},
        {"id": 3, "image_id": 7, "category_id": 88},
    ],
}


def write_coco(folder: Path, **changes) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(COCO | changes))
    return path


def write_voc(folder: Path, **files: str) -> Path:
    (folder / "Annotations").mkdir()
    for name, text in files.items():
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    return folder / "Annotations"


def write_table(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_coco_instances(tmp_path):
    labels = read_labels(write_coco(tmp_path))
    assert labels.complete
    assert labels.images == {
        "000000000007.jpg": ImageLabels(("teddy bear", "person")),
        "000000000009.jpg": ImageLabels(),  # an image without annotations holds none of the categories
    }
    assert labels.find("val2017/000000000007.jpg") == ImageLabels(("teddy bear", "person"))
    assert labels.find("val2017/000000000008.jpg") is None
    rows = list(label_source(labels, tmp_path).read(lambda *_: None))
    assert [(row.index, row.path, row.record["captions"]) for row in rows] == [
        (0, "000000000007.jpg", []),
        (1, "000000000009.jpg", []),
    ]


def test_annotations_of_what_the_file_does_not_list_are_counted(tmp_path):
    annotations = [*COCO["annotations"], {"image_id": 8, "category_id": 1}, {"image_id": 9, "category_id": 3}]
    labels = read_labels(write_coco(tmp_path, annotations=annotations))
    assert [fault.split(" ", 1)[1] for fault in labels.malformed] == [
        "annotation 3 is of image 8, which the file does not list",
        "annotation 4 is of category 3, which the file does not list",
    ]
    assert labels.images["000000000009.jpg"] == ImageLabels()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [*COCO["images"], COCO["images"][0]]}, "lists 1 images twice, by their id"),
        ({"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "a.jpg"}]}, "1 images of the file of"),
        ({"annotations": [{"image_id": 1, "category_id": 1}]}, "no annotation is of an image and a category"),
        ({"annotations": [{"image_id": 7}]}, "malformed .*category_id"),
        ({"images": [], "annotations": []}, "no labelled image"),
    ],
)
def test_bad_instances(tmp_path, changes, message):
    with pytest.raises(NegjaxError, match=message):
        read_labels(write_coco(tmp_path, **changes))


def test_other_json(tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(NegjaxError, match="has not the keys annotations, categories, images: give COCO's instances"):
        read_labels(path)
    path.write_text('{"images": [')
    with pytest.raises(NegjaxError, match="cannot be read as JSON"):
        read_labels(path)


def test_voc(tmp_path):
    objects = OBJECT.format("diningtable") + OBJECT.format("dog") + OBJECT.format("dog")
    folder = write_voc(tmp_path, a=VOC.format("a.jpg", objects), b=VOC.format("b.jpg", ""))
    labels = read_labels(folder)
    assert labels.images == {"a.jpg": ImageLabels(("dining table", "dog")), "b.jpg": ImageLabels()}
    assert labels.complete
    assert not labels.malformed


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<annotation><filename>", "it is no XML"),
        ("<html></html>", "its root is <html>"),
        ("<annotation></annotation>", "it has no <filename>"),
        (VOC.format("x.jpg", "<object></object>"), "an <object> has no <name>"),
        (VOC.format("a.jpg", ""), "another file has labels of a.jpg"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + VOC.format("x.jpg", ""), "it declares entities"),
    ],
)
def test_bad_annotations_are_counted(tmp_path, text, fault):
    folder = write_voc(tmp_path, a=VOC.format("a.jpg", ""), b=text)
    labels = read_labels(folder)
    assert labels.images == {"a.jpg": ImageLabels()}
    assert len(labels.malformed) == 1
    assert fault in labels.malformed[0]
    (folder / "a.xml").unlink()
    if "another" not in fault:
        with pytest.raises(NegjaxError, match=r"no labelled image; the first fault: .*b\.xml"):
            read_labels(folder)


CHEXPERT = "Path,Sex,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Edema,Pneumonia,Support Devices"
PATIENTS = [
    "p1.jpg,Male,,,1.0,,-1.0,0.0,1.0",  # the heart is enlarged, edema uncertain, pneumonia denied
    "p2.jpg,Female,1.0,,,,,,",
    "p3.jpg,Female,,0.0,1.0,0.0,,1.0,0.0",  # denies what its findings are kinds of
]


def test_chexpert(tmp_path):
    labels = read_labels(write_table(tmp_path, CHEXPERT, *PATIENTS))
    assert not labels.complete
    first, healthy, third = labels.images.values()
    assert first.present == ("cardiomegaly", "support devices")
    assert first.absent == ("pneumonia",)
    assert first.unknown == ("enlarged cardiomediastinum", "lung opacity", "edema")
    assert healthy.absent == ("enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "edema", "pneumonia")
    assert (healthy.present, healthy.unknown) == ((), ("support devices",))
    assert third.present == ("cardiomegaly", "pneumonia")
    assert third.absent == ("support devices",)
    assert third.unknown == ("edema", "enlarged cardiomediastinum", "lung opacity")
    assert labels.notes == (
        "1 findings are uncertain (-1) and count as unknown, 4 are not mentioned (blank) and count as unknown",
        "2 findings are denied beside a kind of theirs, and count as unknown",
    )


def test_uncertain_and_blank_as_asked(tmp_path):
    table = write_table(tmp_path, CHEXPERT, PATIENTS[0])
    ones = read_labels(table, LabelReading(uncertain="present"))
    assert ones.images["p1.jpg"].present == ("cardiomegaly", "edema", "support devices")
    zeros = read_labels(table, LabelReading(uncertain="absent", blank="absent"))
    # Edema may be there, so its kind is not denied even where blanks count as absent.
    assert zeros.images["p1.jpg"].absent == ("edema", "pneumonia")
    assert zeros.images["p1.jpg"].unknown == ("enlarged cardiomediastinum", "lung opacity")
    assert ones.sha256 != zeros.sha256 != read_labels(table).sha256


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("p2.jpg,Male,,,2.0,,,,", "row 1 .*column Cardiomegaly holds '2.0': it must be 1, 0, -1 or blank"),
        ("p2.jpg,Male,,,yes,,,,", "row 1 .*column Cardiomegaly holds 'yes'"),
        (",Male,,,1,,,,", "row 1 .*column Path is empty"),
        ("p1.jpg,Male,,,1,,,,", "row 1 .*p1.jpg has labels in an earlier row"),
        ("p2.jpg,Male,1,,1,,,,", "row 1 .*it has No Finding, and cardiomegaly"),
        ("p2.jpg,Male", "row 1 .*2 cells where the header has 9"),
    ],
)
def test_bad_rows_of_chexpert_are_counted(tmp_path, row, fault):
    labels = read_labels(write_table(tmp_path, CHEXPERT, PATIENTS[0], row))
    assert list(labels.images) == ["p1.jpg"]
    assert len(labels.malformed) == 1
    with pytest.raises(ValueError, match=fault):
        raise ValueError(labels.malformed[0])


def test_a_column(tmp_path):
    lines = ["filepath,positive_objects", "a.jpg,\"['cat', 'dog']\"", 'a.jpg,"[""cat"", ""tree""]"']
    lines += [",['x']", "b.jpg,cat", "b.jpg,['dog']"]  # not all of what is in b.jpg can be read
    labels = read_labels(write_table(tmp_path, *lines))
    assert labels.images == {"a.jpg": ImageLabels(("cat", "dog", "tree"))}
    assert [fault.split(": ", 1)[1][:30] for fault in labels.malformed] == [
        "column filepath is empty",
        "column positive_objects is not",
    ]
    with pytest.raises(NegjaxError, match="has no column positive_objects; it has: filepath, caption; give COCO's"):
        read_labels(write_table(tmp_path, "filepath,caption", "a.jpg,x"))
