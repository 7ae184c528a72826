"""COCO's captions_*.json: an image is a row with its captions, as the same table in CSV."""

import json
from pathlib import Path

import pytest
from support.command import run_command
from support.images import noise_jpeg

from negjax.config import SetSource, Suite
from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.json_files import json_source
from negjax.datasets.sources.rows import refuse_row
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set
from negjax.datasets.suite import build_suite
from negjax.errors import NegjaxError

IMAGES = [{"id": 10 + i, "file_name": f"{i}.jpg", "license": 3, "height": 8, "width": 8} for i in range(5)]
ANNOTATIONS = [
    {"image_id": image, "id": number, "caption": text}
    for number, (image, text) in enumerate([(12, "c"), (10, "a"), (12, "c 2"), (11, "b"), (10, "a 2"), (14, "e\n")])
]
EXPECTED = {"0.jpg": ["a", "a 2"], "1.jpg": ["b"], "2.jpg": ["c", "c 2"], "4.jpg": ["e\n"]}


def write(folder: Path, annotations: list[dict], images: list[dict] = IMAGES, **more) -> Path:
    path = folder / "captions_val2017.json"
    content = {"info": {"year": 2017}, "licenses": [{"id": 3}], "images": images, "annotations": annotations}
    path.write_text(json.dumps(content | more, **({"indent": 1} if more.get("categories") else {})))
    return path


@pytest.fixture
def media(tmp_path) -> Path:
    folder = tmp_path / "val2017"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.jpg").write_bytes(noise_jpeg(i))
    return folder


def test_sets_are_those_of_the_same_table(tmp_path, media):
    path, table = write(tmp_path, ANNOTATIONS), tmp_path / "t.jsonl"
    table.write_text("".join(json.dumps({"filepath": name, "captions": EXPECTED[name]}) + "\n" for name in EXPECTED))
    for name, source in {"coco": json_source(path, media), "table": table_source("captions", table, media)}.items():
        built = build_evaluation_set(source, name, tmp_path / "sets", progress=False)
        assert built.written == 4
        build_training_set(source, f"{name}_train", tmp_path / "sets", progress=False)
    assert json_source(path, media).notes == ("1 of 5 images have no captions and are left out",)
    for name in ("", "_train"):
        sets = [open_set(tmp_path / "sets", f"{kind}{name}") for kind in ("coco", "table")]
        assert list(sets[0].rows()) == list(sets[1].rows())
        assert sets[0].fingerprint == sets[1].fingerprint
        assert [row["captions"] for row in sets[0].rows()] == list(EXPECTED.values())


def test_shards(tmp_path, media):
    source = json_source(write(tmp_path, ANNOTATIONS), media, shard_rows=3)
    assert [shard.rows for shard in source.shards] == [3, 1]
    assert [(row.index, row.path) for row in source.read(refuse_row)] == list(enumerate(EXPECTED))


def test_the_command_and_suites_read_it(tmp_path, media, capsys):
    path = write(tmp_path, ANNOTATIONS)
    words = ["data", "build", "--kind", "captions", "--json", path, "--media-root", media]
    code, out, err = run_command(capsys, *words, "--name", "one", "--data-dir", tmp_path / "sets")
    assert (code, out.startswith("one: 4 rows in ")) == (0, True), err
    code, out, err = run_command(capsys, *words, "--train", "--name", "two", "--data-dir", tmp_path / "sets")
    assert (code, out.startswith("two: 4 rows in ")) == (0, True), err
    suite = Suite({"three": SetSource("captions", file=path.name)})
    assert dict(build_suite(suite, tmp_path, media, tmp_path / "sets", progress=False))["three"][0] == "4 rows"
    with pytest.raises(NegjaxError, match="--split val: COCO's captions has one split only"):
        json_source(path, media, "val")


def test_instances_files_are_named(tmp_path, media):
    path = write(tmp_path, [{"image_id": 10, "bbox": [0, 0, 1, 1], "category_id": 1}], categories=[{"id": 1}])
    with pytest.raises(NegjaxError, match=r"holds boxes of objects, no captions: give COCO's captions_\*\.json of the"):
        json_source(path, media)


@pytest.mark.parametrize(
    ("annotations", "images", "expected"),
    [
        ([], IMAGES, "has no captions"),
        ([{"image_id": 99, "caption": "x"}], IMAGES, "has a caption of image 99, but no such image"),
        ([{"image_id": 10, "caption": "x"}], [IMAGES[0], IMAGES[0]], "lists 1 images twice"),
        ([{"caption": "x"}], IMAGES, r"captions_val2017\.json is malformed \(KeyError: 'image_id'\)"),
        (["x"], IMAGES, r"captions_val2017\.json is malformed"),
        (
            [{"image_id": 10, "caption": 7}],
            IMAGES,
            "image 0.jpg: column captions is not a Python or JSON list",
        ),
        ([{"image_id": 10, "caption": "x"}], [{"id": 10, "file_name": ""}], "filepath or image_path is empty"),
    ],
)
def test_malformed_files(tmp_path, media, annotations, images, expected):
    with pytest.raises(NegjaxError, match=expected):
        list(json_source(write(tmp_path, annotations, images), media).read(refuse_row))


def test_no_training_set_is_made_of_a_benchmark(tmp_path, media):
    items = {"0": {"filename": "0.jpg", "caption": "x", "negative_caption": "y"}}
    (tmp_path / "b.json").write_text(json.dumps(items))
    with pytest.raises(NegjaxError, match="is of SugarCrepe, a benchmark: leave --train out"):
        build_training_set(json_source(tmp_path / "b.json", media), "s", tmp_path / "sets", progress=False)
