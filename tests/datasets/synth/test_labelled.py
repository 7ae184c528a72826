"""`negjax synth` from labels, with captions or without, of photographs, clips and X-rays."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from support.command import run_command
from support.images import noise_png

from negjax.datasets.labels.label_file import read_labels
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set
from negjax.datasets.synth.extract import run_extract
from negjax.datasets.synth.propose import ProposeSettings, run_propose
from negjax.datasets.synth.shards import read_stage
from negjax.datasets.synth.verify import KnownLabels, run_verify
from negjax.errors import NegjaxError
from negjax.language.negation import is_negated

CATEGORIES = ["dog", "cat", "fire hydrant", "bench", "boat", "teddy bear"]
IMAGES = 60


def write_photos(folder: Path, count: int = IMAGES) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.png").write_bytes(noise_png(i, (16, 16)))


def write_instances(path: Path, count: int = IMAGES) -> dict[str, set[str]]:
    """COCO's form: of each image one to three of the categories; returns them by file name."""
    rng = np.random.default_rng(0)
    held = [sorted(rng.choice(len(CATEGORIES), rng.integers(1, 4), replace=False).tolist()) for _ in range(count)]
    content = {
        "images": [{"id": 100 + i, "file_name": f"{i}.png"} for i in range(count)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CATEGORIES)],
        "annotations": [{"image_id": 100 + i, "category_id": n} for i in range(count) for n in held[i]],
    }
    path.write_text(json.dumps(content))
    return {f"{i}.png": {CATEGORIES[n] for n in held[i]} for i in range(count)}


def synth(capsys, tmp_path: Path, *words: object) -> str:
    """Runs all stages and returns what they told."""
    out = [
        "--out",
        tmp_path / "out",
        "--name",
        "mine",
        "--data-dir",
        tmp_path / "data",
        "--media-root",
        tmp_path / "media",
    ]
    code, told, err = run_command(capsys, "synth", "all", *words, *out, "--test-share", 0.4)
    assert code == 0, err
    return told + err


@pytest.mark.slow
def test_labels_alone_are_enough(capsys, tmp_path):
    write_photos(tmp_path / "media")
    truth = write_instances(tmp_path / "instances.json")
    synth(capsys, tmp_path, "--labels", tmp_path / "instances.json")
    rows = list(read_stage(tmp_path / "out", "verify"))
    assert {row["filepath"]: set(row["positive_objects"]) for row in rows} == truth
    for row in rows:
        assert set(row["negative_objects"]) <= set(CATEGORIES) - truth[row["filepath"]]
        assert row["risks"] == [0.0] * len(row["risks"])
    # Sentences are written of the labels: they name what is there, in other words for training than for the test.
    train, test = (list(open_set(tmp_path / "data", f"mine_{part}").rows()) for part in ("train", "test"))
    assert len(train) + len(test) == IMAGES
    for row in (*train, *test):
        (caption,) = row["captions"]
        assert not is_negated(caption)
        assert any(name.split()[-1] in caption for name in row["positive_objects"])
    assert not {row["captions"][0] for row in train} & {row["captions"][0] for row in test}
    assert (tmp_path / "data" / "mine_truth_table").exists()


def test_labels_replace_what_captions_name(tmp_path):
    """But no caption may deny what its image's captions name, nor affirm what they deny."""
    labels = tmp_path / "labels.csv"
    labels.write_text("filepath,positive_objects\nx/0.png,\"['cat']\"\nx/1.png,\"['dog', 'boat']\"\n")
    captions = tmp_path / "captions.csv"
    captions.write_text("filepath,caption\n0.png,A cat on a bench without a collar\n1.png,Two dogs\n2.png,A boat\n")
    source = table_source("captions", captions, tmp_path)
    facts = run_extract(source, tmp_path / "out", labels=read_labels(labels), progress=False)
    rows = list(read_stage(tmp_path / "out", "extract"))
    assert (facts["labelled"], facts["unlabelled"], facts["captionless"]) == (True, 1, 0)
    assert [row["positive_objects"] for row in rows] == [["cat"], ["dog", "boat"], []]
    assert rows[0]["other_names"] == ["bench", "cat"] or rows[0]["other_names"] == ["bench"]
    assert rows[0]["denied_objects"] == ["collar"]
    assert rows[2]["remark"] == "no labels"
    labels.write_text("filepath,positive_objects\nother.png,\"['cat']\"\n")
    with pytest.raises(NegjaxError, match=r"labels.csv has labels of no image of .*captions.csv: their paths differ"):
        run_extract(source, tmp_path / "out", labels=read_labels(labels), progress=False)


CHEXPERT = ["Cardiomegaly", "Edema", "Pneumonia", "Pleural Effusion", "Fracture", "Support Devices"]


@pytest.mark.slow
def test_findings_of_x_rays(capsys, tmp_path):
    """Only what the reports deny is called absent, in the words of reports."""
    write_photos(tmp_path / "media" / "train")
    rng = np.random.default_rng(1)
    marks = rng.choice([1, 0, -1, 9], (IMAGES, len(CHEXPERT)), p=[0.3, 0.4, 0.1, 0.2])
    lines = [f"CheXpert/train/{i}.png,{','.join('' if m == 9 else f'{m}.0' for m in marks[i])}" for i in range(IMAGES)]
    (tmp_path / "train.csv").write_text("\n".join([f"Path,{','.join(CHEXPERT)}", *lines]) + "\n")
    told = synth(capsys, tmp_path, "--labels", tmp_path / "train.csv", "--medium", "xray")
    blank, uncertain = (marks == 9).sum(), (marks == -1).sum()
    expected = (
        f"{uncertain} findings are uncertain (-1) and count as unknown, {blank} are not mentioned (blank) and count"
    )
    assert expected in told
    for i, row in enumerate(read_stage(tmp_path / "out", "verify")):
        assert set(row["positive_objects"]) == {CHEXPERT[n].lower() for n in np.flatnonzero(marks[i] == 1)}
        assert set(row["negative_objects"]) == {CHEXPERT[n].lower() for n in np.flatnonzero(marks[i] == 0)}
    texts = [text for row in open_set(tmp_path / "data", "mine_truth_table").rows() for text in row["options"]]
    assert texts
    assert not [text for text in texts if "photo" in text or "picture" in text]
    assert any(word in text for text in texts for word in ("radiograph", "X-ray", "imaging", "detected"))
    negated = [row["negated_captions"] for row in open_set(tmp_path / "data", "mine_negfull").rows()]
    assert negated
    assert all(is_negated(text) for texts in negated for text in texts)


def test_labels_drop_what_they_leave_open(tmp_path):
    """An uncertain finding refutes its absence as much as one that is there."""
    captions = tmp_path / "captions.csv"
    rows = [f"{i}.png,{'A dog on a bench' if i % 2 else 'A boat on a lake'}" for i in range(12)]
    captions.write_text("\n".join(["filepath,caption", *rows]) + "\n")
    run_extract(table_source("captions", captions, tmp_path), tmp_path / "out", progress=False)
    run_propose(tmp_path / "out", ProposeSettings(max_risk=1), progress=False)
    proposed = list(read_stage(tmp_path / "out", "propose"))
    assert "dog" in proposed[0]["negative_objects"]
    (tmp_path / "instances.json").write_text(
        json.dumps(
            {
                "images": [{"id": 0, "file_name": "0.png"}],
                "categories": [{"id": 1, "name": "puppy"}],
                "annotations": [{"image_id": 0, "category_id": 1}],
            }
        )
    )
    run_verify(tmp_path / "out", KnownLabels(read_labels(tmp_path / "instances.json")), progress=False)
    kept = list(read_stage(tmp_path / "out", "verify"))
    assert "dog" not in kept[0]["negative_objects"]  # a puppy is one
    assert [row["negative_objects"] for row in kept[1:]] == [row["negative_objects"] for row in proposed[1:]]


def test_pictures_inside_a_parquet_file(capsys, tmp_path):
    """Hugging Face's form, from extraction to sets: the pictures are found by the number of their row."""
    (tmp_path / "media").mkdir()
    texts = ["A dog runs on the beach", "A horse pulls a cart", "A boat on a lake", "A guitar leans on a sofa"]
    table = pyarrow.table(
        {
            "image": [{"bytes": noise_png(i, (16, 16)), "path": None} for i in range(40)],
            "text": [texts[i % 4] for i in range(40)],
        }
    )
    file = tmp_path / "media" / "train-00000-of-00001.parquet"
    pyarrow.parquet.write_table(table, file, row_group_size=7)
    synth(capsys, tmp_path, "--csv", file, "--max-risk", 0.5)
    rows = [row for part in ("train", "test") for row in open_set(tmp_path / "data", f"mine_{part}").rows()]
    assert sorted(row["id"] for row in rows) == list(range(40))
    assert all(row["media"] == noise_png(row["id"], (16, 16)) for row in rows)
    assert all(row["captions"] == [texts[row["id"] % 4]] for row in rows)
