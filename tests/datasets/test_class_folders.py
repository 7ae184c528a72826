"""Zero-shot sets: from folders of real photographs, and from data sets that TFDS prepared."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.outcome import BuiltSet
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.tfds_datasets import tfds_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three classes, one without images, with what file managers leave behind."""
    root = tmp_path / "photos"
    for shade, name in enumerate(["tabby_cat/b.jpg", "tabby_cat/a.jpg", "dog/2020/x.JPEG", "dog/0.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(shade * 50))
    (root / "empty").mkdir()
    for litter in [".DS_Store", "dog/.DS_Store", "dog/Thumbs.db", "tabby_cat/.hidden/z.jpg", "README.md", ".git/x"]:
        (root / litter).parent.mkdir(parents=True, exist_ok=True)
        (root / litter).write_bytes(b"?")
    return root


def build_folder(folder: Path, classnames: str | None = None, templates: str = "openai", **more: bool) -> BuiltSet:
    source = folder_source(folder, classnames, templates)
    return build_evaluation_set(source, "built", folder.parent / "sets", progress=False, **more)


def build_tfds(place: Path, split: str, data_dir: Path, **more: bool) -> BuiltSet:
    return build_evaluation_set(tfds_source(place, split, None, "simple"), "pets", data_dir, progress=False, **more)


def test_a_folder(folder):
    built = build_folder(folder)
    data = open_set(folder.parent / "sets", "built")
    assert (built.rows, built.written) == (4, 4)
    assert built.notes == ("no images of 1 classes (empty), which stay classes",)
    files = ["dog/0.png", "dog/2020/x.JPEG", "tabby_cat/a.jpg", "tabby_cat/b.jpg"]
    assert [row["media"] for row in data.rows()] == [(folder / file).read_bytes() for file in files]
    assert [(row["id"], row["label"]) for row in data.rows()] == [(0, 0), (1, 0), (2, 2), (3, 2)]
    said = data.metadata
    assert (said["task_kind"], said["negated"], said["media_type"]) == ("zeroshot", False, "image")
    assert said["classnames"] == ["dog", "empty", "tabby cat"]
    assert len(said["templates"]) == 80
    assert (said["source"]["kind"], said["source"]["file"], said["source"]["rows"]) == ("folder", "photos", 4)


def test_names_and_templates_of_files(folder, tmp_path):
    (tmp_path / "names.txt").write_text("hound\nnothing\nkitten\n")
    (tmp_path / "prompts.txt").write_text("a {}\nno {}\n")
    build_folder(folder, classnames=str(tmp_path / "names.txt"), templates=str(tmp_path / "prompts.txt"), negated=True)
    said = open_set(tmp_path / "sets", "built").metadata
    assert (said["classnames"], said["templates"], said["negated"]) == (
        ["hound", "nothing", "kitten"],
        ["a {}", "no {}"],
        True,
    )


def test_numbered_folders_are_in_the_order_of_numbers(tmp_path):
    """As text "10" comes before "2": ImageNetV2's folders are called 0 to 999."""
    for number in range(12):
        (tmp_path / "photos" / str(number)).mkdir(parents=True)
        (tmp_path / "photos" / str(number) / "x.jpg").write_bytes(jpeg(20 * number))
    build_folder(tmp_path / "photos", templates="none")
    data = open_set(tmp_path / "sets", "built")
    assert data.metadata["classnames"] == [str(number) for number in range(12)]
    assert [row["media"] for row in data.rows()] == [jpeg(20 * number) for number in range(12)]


@pytest.mark.parametrize("content", [b"just text", jpeg(9)[:200], b""])
def test_what_is_no_whole_image_ends_the_build_unless_skipped(folder, content):
    (folder / "dog" / "1.txt").write_bytes(content)
    with pytest.raises(
        NegjaxError, match=r"1 of 5 rows cannot be used: their images cannot be decoded .* row 1 \(dog/1.txt\);"
    ):
        build_folder(folder)
    built = build_folder(folder, skip_missing=True)
    assert (built.rows, built.written, built.skipped["broken"]) == (5, 4, 1)
    assert open_set(folder.parent / "sets", "built").metadata["skipped"]["broken"] == {
        "count": 1,
        "first": [{"row": 1, "file": "dog/1.txt"}],
    }


def test_folders_that_hold_no_classes(folder, tmp_path):
    with pytest.raises(NegjaxError, match=r"no folder .*absent: give the folder .* as --folder"):
        build_folder(tmp_path / "absent")
    with pytest.raises(NegjaxError, match="has no subfolders"):
        build_folder(folder / "dog" / "2020")
    (tmp_path / "bare" / "class").mkdir(parents=True)
    with pytest.raises(NegjaxError, match="has no rows"):
        build_folder(tmp_path / "bare")
    with pytest.raises(NegjaxError, match="--classnames imagenet needs"):
        build_folder(folder, classnames="imagenet")


class Pets(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A data set as TFDS prepares it. extra: further features. broken: the number of an image that is cut."""

    name = "pets"
    VERSION = tfds.core.Version("1.2.0")

    def __init__(self, extra=(), unlabelled=False, broken=None, **kwargs):
        self.extra, self.unlabelled, self.broken = dict(extra), unlabelled, broken
        super().__init__(**kwargs)

    def _info(self):
        features = {
            "picture": tfds.features.Image(shape=(None, None, 3)),
            "species": tfds.features.ClassLabel(names=["tabby_cat", "dog"]),
            "file": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="d",
            homepage="https://example.org",
            features=tfds.features.FeaturesDict(features | self.extra),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(2), "test": self._generate_examples(6)}

    def _generate_examples(self, count):
        for i in range(count):
            label = -1 if self.unlabelled else i % 2
            picture = jpeg(40 * i)[: 300 if i == self.broken else None]
            example = {"picture": picture, "species": label, "file": str(i)}
            yield i, example | dict.fromkeys(self.extra, i % 2)


def prepared(folder: Path, file_format: str = "array_record", **more) -> Path:
    tfds.disable_progress_bar()
    Pets(data_dir=folder, file_format=file_format, **more).download_and_prepare()
    return folder / "pets" / "1.2.0"


@pytest.mark.parametrize("file_format", ["array_record", "parquet"])
def test_a_tfds_data_set(tmp_path, file_format):
    place = prepared(tmp_path, file_format)
    build_tfds(place, "test", tmp_path / "sets")
    data = open_set(tmp_path / "sets", "pets")
    source = tfds.builder_from_directory(place).as_data_source(
        split="test", decoders={"picture": tfds.decode.SkipDecoding()}
    )
    assert [row["media"] for row in data.rows()] == [example["picture"] for example in source]
    assert [row["label"] for row in data.rows()] == [int(example["species"]) for example in source]
    assert sorted(row["media"] for row in data.rows()) == sorted(jpeg(40 * i) for i in range(6))
    assert data.metadata["classnames"] == ["tabby cat", "dog"]
    assert data.metadata["source"]["file"] == "pets/1.2.0:test"
    assert data.metadata["source"]["rows"] == 6


def test_tfds_data_sets_that_do_not_fit(tmp_path):
    place = prepared(tmp_path / "a")
    with pytest.raises(NegjaxError, match=r"unknown --split 'valid': .* has the splits train, test"):
        build_tfds(place, "valid", tmp_path / "sets")
    with pytest.raises(NegjaxError, match=r"holds no TFDS data set, it must be .../NAME/VERSION"):
        build_tfds(tmp_path / "a", "test", tmp_path / "sets")
    two = prepared(tmp_path / "b", extra={"breed": tfds.features.ClassLabel(num_classes=2)})
    with pytest.raises(NegjaxError, match=r"must have one ClassLabel feature, it has 2; .*breed \(ClassLabel\)"):
        build_tfds(two, "test", tmp_path / "sets")
    unlabelled = prepared(tmp_path / "c", unlabelled=True)
    with pytest.raises(NegjaxError, match=r"split test, row 0 has no label \(-1\)"):
        build_tfds(unlabelled, "test", tmp_path / "sets")


def test_what_only_tensorflow_reads_is_refused_with_the_remedy(tmp_path):
    """A set that says it is stored as TFRecord, TFDS's default."""
    place = prepared(tmp_path)
    info = json.loads((place / "dataset_info.json").read_text())
    (place / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "tfrecord"}))
    with pytest.raises(NegjaxError, match=r"is stored as tfrecord, .* file_format='array_record'") as caught:
        build_tfds(place, "test", tmp_path / "sets")
    assert "\n" not in str(caught.value)


def test_a_broken_image_of_a_tfds_data_set_is_named_by_its_row(tmp_path):
    place = prepared(tmp_path, broken=2)
    with pytest.raises(NegjaxError, match=r"1 of 6 rows cannot be used: their images cannot be decoded \(row \d: "):
        build_tfds(place, "test", tmp_path / "sets")
    built = build_tfds(place, "test", tmp_path / "sets", skip_missing=True)
    assert (built.written, built.skipped["broken"]) == (5, 1)


def test_no_tensorflow(tmp_path, folder):
    place = prepared(tmp_path)
    code = f"""
import sys
from negjax.datasets.build.evaluation_set import build_evaluation_set as build
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.tfds_datasets import tfds_source
sets = {str(tmp_path / "sets")!r}
build(folder_source({str(folder)!r}, None, "simple"), "a", sets, progress=False)
build(tfds_source({str(place)!r}, "test", None, "simple"), "b", sets, progress=False)
assert not {{"tensorflow", "torch"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_labels_go_with_their_images(folder):
    build_folder(folder)
    red = {row["label"]: [] for row in open_set(folder.parent / "sets", "built").rows()}
    for row in open_set(folder.parent / "sets", "built").rows():
        red[row["label"]].append(int(np.asarray(Image.open(io.BytesIO(row["media"])))[0, 0, 0]))
    assert {label: sorted(values) for label, values in red.items()} == {0: [100, 150], 2: [0, 50]}
