"""Zero-shot sets from folders of class folders."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import jpeg

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.outcome import BuiltSet
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


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
    with pytest.raises(NegjaxError, match=r"folder .*absent not found: give the folder .* as --folder"):
        build_folder(tmp_path / "absent")
    with pytest.raises(NegjaxError, match="has no subfolders"):
        build_folder(folder / "dog" / "2020")
    (tmp_path / "bare" / "class").mkdir(parents=True)
    with pytest.raises(NegjaxError, match="has no rows"):
        build_folder(tmp_path / "bare")
    with pytest.raises(NegjaxError, match="--classnames imagenet needs"):
        build_folder(folder, classnames="imagenet")


def test_labels_go_with_their_images(folder):
    build_folder(folder)
    red = {row["label"]: [] for row in open_set(folder.parent / "sets", "built").rows()}
    for row in open_set(folder.parent / "sets", "built").rows():
        red[row["label"]].append(int(np.asarray(Image.open(io.BytesIO(row["media"])))[0, 0, 0]))
    assert {label: sorted(values) for label, values in red.items()} == {0: [100, 150], 2: [0, 50]}
