"""Zero-shot sets from data sets that TFDS prepared."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow_datasets as tfds
from support.images import jpeg

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.outcome import BuiltSet
from negjax.datasets.sources.tfds_datasets import tfds_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


def build_tfds(place: Path, split: str, data_dir: Path, **more: bool) -> BuiltSet:
    return build_evaluation_set(tfds_source(place, split, None, "simple"), "pets", data_dir, progress=False, **more)


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
    with pytest.raises(NegjaxError, match=r"unknown --split 'valid' of .*; choose one of train, test"):
        build_tfds(place, "valid", tmp_path / "sets")
    with pytest.raises(NegjaxError, match=r"holds no TFDS data set .*: give .*/NAME/VERSION"):
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


def test_no_tensorflow(tmp_path):
    folder = tmp_path / "photos"
    (folder / "dog").mkdir(parents=True)
    (folder / "dog" / "0.jpg").write_bytes(jpeg(9))
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
