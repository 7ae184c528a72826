"""A set must not make us import code: its files may name TFDS's own feature classes only."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from support.images import png

from negjax.datasets.sources.tfds_datasets import tfds_source
from negjax.datasets.stored.store import list_sets, open_set, write_set
from negjax.datasets.stored.tfds_folder import open_builder
from negjax.errors import NegjaxError

EVIL = "import pathlib\npathlib.Path('imported').touch()\nclass Feature: pass\n"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of a set of an earlier version, without checksums; the current folder has a module `evil_module`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil_module.py").write_text(EVIL)
    row = {"media": png(1), "captions": ["x"]}
    write_set(tmp_path, "a", lambda: iter([row]), ["captions"], {"task_kind": "train", "negated": False})
    (tmp_path / "a" / "1.0.0" / "checksums.json").unlink()
    return tmp_path / "a" / "1.0.0"


def rename_class(content: dict, key: str) -> dict:
    del content["featuresDict"]["features"]["id"]["pythonClassName"]
    content["featuresDict"]["features"]["id"][key] = "evil_module.Feature"
    return content


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"pythonClassName": "evil_module.Feature"},
        lambda content: rename_class(content, "pythonClassName"),
        lambda content: rename_class(content, "python_class_name"),
        lambda content: {"type": "evil_module.Feature", "content": {}},
        lambda content: {
            "pythonClassName": content["pythonClassName"],
            "jsonFeature": {"json": json.dumps({"a": {"type": "evil_module.Feature", "content": {}}})},
        },
    ],
)
def test_classes_of_others_are_refused_before_they_are_imported(folder, change):
    path = folder / "features.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    data_dir = folder.parent.parent
    for use in (
        lambda: open_set(data_dir, "a"),
        lambda: list_sets(data_dir),
        lambda: tfds_source(folder, "rows", None, "simple"),
        lambda: open_builder(folder),
    ):
        with pytest.raises(
            NegjaxError, match=r"features\.json names the feature class 'evil_module\.Feature', which is"
        ):
            use()
    assert not Path("imported").exists()


def test_also_where_dataset_info_names_them(folder):
    path = folder / "dataset_info.json"
    content = json.loads(path.read_text())
    features = json.loads((folder / "features.json").read_text())
    path.write_text(json.dumps(content | {"features": rename_class(features, "pythonClassName")}))
    with pytest.raises(NegjaxError, match=r"dataset_info\.json names the feature class 'evil_module\.Feature'"):
        open_builder(folder)
    assert not Path("imported").exists()


def test_a_key_that_is_there_twice_hides_nothing(folder):
    path = folder / "features.json"
    own = json.loads(path.read_text())["pythonClassName"]
    path.write_text(path.read_text().replace(f'"{own}"', f'"evil_module.Feature", "pythonClassName": "{own}"', 1))
    with pytest.raises(NegjaxError, match=r"is damaged .*the key 'pythonClassName' twice"):
        open_set(folder.parent.parent, "a")
    assert not Path("imported").exists()


@pytest.mark.slow
def test_the_command_imports_nothing_either(folder):
    path = folder / "features.json"
    path.write_text(
        path.read_text().replace("tensorflow_datasets.core.features.tensor_feature.Tensor", "evil_module.Feature")
    )
    ended = subprocess.run(
        [sys.executable, "-m", "negjax.cli", "data", "list", "--data-dir", "."],
        cwd=folder.parent.parent,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    assert ended.returncode != 0
    assert "evil_module.Feature" in ended.stderr
    assert not (folder.parent.parent / "imported").exists()


def test_sets_of_all_of_tfds_own_classes_open(tmp_path):
    """Every kind of feature that TFDS itself writes for images, texts and labels."""
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
            "text": tfds.features.Text(),
            "box": tfds.features.BBoxFeature(),
            "list": tfds.features.Sequence({"x": tfds.features.Scalar(np.int64)}),
            "tensor": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        }
    )
    identity = tfds.core.dataset_info.DatasetIdentity("own", tfds.core.Version("1.0.0"), str(tmp_path), "m")
    info = tfds.core.DatasetInfo(builder=identity, features=features, description="x")
    info.set_file_format("array_record")
    info.write_to_directory(tmp_path)
    assert sorted(open_builder(tmp_path).info.features) == sorted(features)
