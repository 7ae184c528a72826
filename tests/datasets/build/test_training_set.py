"""Training sets made in shards: the same whatever the shards and processes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from support.folders import digests
from support.images import noise_jpeg
from support.tars import write_tar
from support.training_files import ROWS, build, make_files, path

from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.sources.webdataset import webdataset_source
from negjax.datasets.stored.store import list_sets, open_set
from negjax.errors import NegjaxError
from negjax.media.decoding import decode
from negjax.media.images import Preprocess, to_pixels


@pytest.fixture
def files(tmp_path) -> Path:
    return make_files(tmp_path)


def test_captions_and_question_of_each_image_in_one_record(files):
    built = build(files)
    assert (built.rows, built.written, sum(built.skipped.values())) == (ROWS, ROWS, 0)
    assert built.notes == ("counted as negated: 100% of its rows hold a negation word; change it with --negated",)
    data = open_set(files / "sets", "built")
    assert data.fields == ("captions", "negated_captions", "question")
    assert (data.metadata["task_kind"], data.metadata["negated"], data.metadata["altered"]) == ("train", True, "")
    rows = list(data.rows())
    assert [row["id"] for row in rows] == list(range(ROWS))
    assert [row["media"] for row in rows] == [noise_jpeg(i) for i in range(ROWS)]
    assert [row["media_sha256"] for row in rows] == [hashlib.sha256(noise_jpeg(i)).hexdigest() for i in range(ROWS)]
    assert [row["captions"] for row in rows] == [[f"a\n{i}"] for i in range(ROWS)]
    assert [row["negated_captions"] for row in rows] == [[f"a {i}, no b", "not a single c"] for i in range(ROWS)]
    assert [row["options"] for row in rows] == [[f"a {i}", "b", "no a", "c"] for i in range(ROWS)]
    assert [(row["answer"], row["kind"]) for row in rows] == [(i % 4, "positive") for i in range(ROWS)]
    assert len(data.lengths("options").longest_R) == ROWS
    assert len(list((files / "sets" / "built" / "1.0.0").glob("*.array_record*"))) == 5
    plain = tfds.builder_from_directory(files / "sets" / "built" / "1.0.0").as_data_source(split="all")
    assert [plain[i]["id"] for i in range(ROWS)] == list(range(ROWS))
    assert [each.name for each in list_sets(files / "sets")] == ["built"]
    assert {each.name for each in (files / "sets").iterdir()} == {"built"}


@pytest.mark.slow
def test_shards_and_processes_change_nothing(files):
    build(files, 5, "built")
    several = digests(files / "sets" / "built")
    fingerprint = open_set(files / "sets", "built").fingerprint
    build(files, 5, "built", processes=2, overwrite=True)
    assert digests(files / "sets" / "built") == several
    build(files, 100, "one")
    one = open_set(files / "sets", "one")
    assert list(one.rows()) == list(open_set(files / "sets", "built").rows())
    assert one.fingerprint == fingerprint
    assert (
        one.lengths("captions").longest_R.tolist()
        == open_set(files / "sets", "built").lengths("captions").longest_R.tolist()
    )


def test_rows_that_cannot_be_used_are_counted_by_reason(files):
    text = (files / "negcap.csv").read_text().replace("['a 3, no b', 'not a single c']", "[]")
    (files / "negcap.csv").write_text(text + f"""short,row\n,{path(2)},"['no b']"\ncut,cut.jpg,"['no b']"\n""")
    (files / "media" / "cut.jpg").write_bytes(noise_jpeg(1)[:500])
    asked = (files / "negmcq.csv").read_text().splitlines()
    asked = [*asked[:2], *asked[3:], "a,b,c,d,0,positive,cut.jpg"]  # row 21 has no question
    (files / "negmcq.csv").write_text("\n".join(asked) + "\n")
    with pytest.raises(NegjaxError, match=r"1 of 26 rows cannot be used: their images cannot be decoded; .*cut\.jpg"):
        build(files)
    built = build(files, skip_missing=True)
    assert (built.rows, built.written, built.skipped["broken"], built.skipped["invalid"]) == (26, 22, 1, 2)
    data = open_set(files / "sets", "built")
    assert [row["id"] for row in data.rows()] == [*range(3), *range(4, 21), 22, 24]
    why = {entry["row"]: entry["why"] for entry in data.metadata["skipped"]["invalid"]["first"]}
    assert why.keys() == {3, 23}
    assert "row 3 (line 8): column negative_captions is an empty list" in why[3]
    unasked = data.metadata["skipped"]["unasked"]
    assert (built.skipped["unasked"], unasked["count"], unasked["first"][0]["row"]) == (1, 1, 21)
    assert unasked["first"][0]["why"].endswith("negmcq.csv has no question for it")
    assert "row 23 (line 48): 2 cells where the header has 3 columns" in why[23]
    assert built.notes[-1] == "empty texts: 1, kept like the others"


def test_questions_that_cannot_be_understood_are_told_before_a_shard_is_made(files):
    whole = (files / "negmcq.csv").read_text()
    (files / "negmcq.csv").write_text(whole.replace("a 3,b,", "a 3,b, c,"))
    with pytest.raises(NegjaxError, match=r"1 of 23 questions are malformed, the first is .* row 19 \(line 21\): 8 "):
        build(files)
    (files / "negmcq.csv").write_text(whole)
    assert build(files).written == ROWS


def test_paths_that_end_most_alike_belong_together(files):
    """Two images of one name: each gets the question of its folder."""
    for folder in ("x", "y"):
        (files / "media" / folder).mkdir()
        (files / "media" / folder / "1.jpg").write_bytes(noise_jpeg(ord(folder)))
    (files / "negcap.csv").write_text(
        """filepath,caption,negative_captions\n""" + "".join(f"""a/{f}/1.jpg,{f},"['no']"\n""" for f in "xy")
    )
    (files / "negmcq.csv").write_text(
        "image_path,correct_answer,caption_0,caption_1\nb/y/1.jpg,0,of y,z\nb/x/1.jpg,1,z,of x\nx/1.jpg,0,later,z\n"
    )
    build(files)
    rows = list(open_set(files / "sets", "built").rows())
    assert [row["options"][row["answer"]] for row in rows] == ["of x", "of y"]


def test_webdataset(tmp_path):
    """Captions in .txt or .json, NegCap and questions in .json; rows are numbered through all files."""
    said = {
        "negative_captions": ["no dog"],
        "caption_0": "a",
        "caption_1": "b",
        "correct_answer": 1,
        "status": "success",
    }
    for tar in range(3):
        packed: dict[str, bytes] = {}
        for i in range(tar, 2 * tar + 1):  # 1, 2 and 3 of them
            packed |= {f"{i}.jpg": noise_jpeg(i), f"{i}.json": json.dumps({"caption": f"{tar} {i}", **said}).encode()}
        write_tar(tmp_path / f"{tar:05d}.tar", packed)
    for kind, fields in (("captions", ("captions",)), ("negcap", ("captions", "negated_captions"))):
        source = webdataset_source(kind, f"{tmp_path}/*.tar", 1)
        assert [shard.rows for shard in source.shards] == [1, 2, 3]
        build_training_set(source, kind, tmp_path / "sets", progress=False)
        data = open_set(tmp_path / "sets", kind)
        assert data.fields == fields
        assert [row["id"] for row in data.rows()] == list(range(6))
        assert [row["captions"][0] for row in data.rows()] == ["0 0", "1 1", "1 2", "2 2", "2 3", "2 4"]
        assert data[3]["media"] == noise_jpeg(2)
    assert data[0]["negated_captions"] == ["no dog"]
    build_training_set(
        webdataset_source("questions", f"{tmp_path}/*.tar"), "questions", tmp_path / "sets", progress=False
    )
    data = open_set(tmp_path / "sets", "questions")
    assert (data[5]["options"], data[5]["answer"]) == (["a", "b"], 1)
    with pytest.raises(NegjaxError, match=r"--webdataset .*absent\*: no such files found"):
        webdataset_source("captions", f"{tmp_path}/absent*")
    write_tar(
        tmp_path / "bad" / "0.tar",
        {"0.jpg": noise_jpeg(0), "1.jpg": noise_jpeg(1), "1.txt": b"x", "2.jpg": b"", "2.txt": b"y"},
    )
    built = build_training_set(
        webdataset_source("captions", f"{tmp_path}/bad/*.tar"),
        "bad",
        tmp_path / "sets",
        skip_missing=True,
        progress=False,
    )
    assert (built.written, built.skipped["invalid"], built.skipped["broken"]) == (1, 1, 1)


@pytest.mark.parametrize("text", [b'{"caption": ' + b"[" * 200_000, b'{"a": {"caption": "x", "caption": "y"}}'])
def test_json_that_cannot_be_trusted_skips_its_sample_only(tmp_path, text):
    """One is nested so deeply that Python's parser gives up, the other has a key twice."""
    packed = {"0.jpg": noise_jpeg(0), "0.json": text, "1.jpg": noise_jpeg(1), "1.json": b'{"caption": "x"}'}
    write_tar(tmp_path / "0.tar", packed)
    source = webdataset_source("captions", f"{tmp_path}/0.tar")
    with pytest.raises(
        NegjaxError, match=r"1 of 2 rows cannot be used: they are malformed; .* \(it (is nested|has the)"
    ):
        build_training_set(source, "s", tmp_path / "sets", progress=False)
    built = build_training_set(source, "s", tmp_path / "sets", skip_missing=True, progress=False)
    assert (built.written, built.skipped["invalid"]) == (1, 1)


@pytest.mark.parametrize("rows", [1, 10])
def test_questions_of_one_set_have_as_many_options(tmp_path, rows):
    """Of other numbers the options would be mixed up in a batch; found within a shard, or in several."""
    question = {"caption_0": "a", "caption_1": "b", "correct_answer": 1}
    for number, more in enumerate([{}, {"caption_2": "c", "caption_3": "d"}, {}]):
        said = json.dumps(question | more).encode()
        write_tar(tmp_path / f"{number}.tar", {f"{number}.jpg": noise_jpeg(number), f"{number}.json": said})
    choices = {"skip_missing": True, "progress": False}
    with pytest.raises(
        NegjaxError, match=r"row 0 \(0\.jpg\) has 2 options and row 1 \(1\.jpg\) has 4: all questions of"
    ):
        build_training_set(webdataset_source("questions", f"{tmp_path}/*.tar", rows), "a", tmp_path / "sets", **choices)
    (tmp_path / "1.tar").unlink()
    build_training_set(webdataset_source("questions", f"{tmp_path}/*.tar", rows), "b", tmp_path / "sets", **choices)


def test_images_are_made_small_and_the_set_says_so(test_data, tmp_path):
    photographs = sorted((test_data / "coco_val2017").glob("*.jpg"))[:6]
    media = tmp_path / "media"
    media.mkdir()
    for photograph in photographs:
        (media / photograph.name).write_bytes(photograph.read_bytes())
    Image.new("RGB", (300, 200), "red").save(media / "small.png")
    names = [photograph.name for photograph in photographs] + ["small.png"]
    (tmp_path / "captions.csv").write_text("filepath,captions\n" + "".join(f"{name},['x']\n" for name in names))
    source = table_source("captions", tmp_path / "captions.csv", media)
    build_training_set(source, "small", tmp_path / "sets", short_side=224, progress=False)
    data = open_set(tmp_path / "sets", "small")
    assert data.metadata["altered"] == "short side at most 224, JPEG quality 95"
    assert data[6]["media"] == (media / "small.png").read_bytes()
    for row, photograph in zip(data.rows(range(6)), photographs):
        small, large = decode(row["media"], "small"), decode(photograph.read_bytes(), "large")
        assert min(small.size) == 224
        assert max(small.size) == int(224 * max(large.size) / min(large.size))
        pixels = [to_pixels(image, Preprocess()).astype(int) for image in (small, large)]
        assert np.abs(pixels[0] - pixels[1]).mean() < 5  # what JPEG changes


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--kind", "captions", "--csv", "negcap.csv", "--short-side", "9"],
            "--short-side: only for training sets",
        ),
        (["--kind", "negcap", "--csv", "negcap.csv", "--short-side", "0"], "--short-side 0: give 1 or more"),
        (["--kind", "negcap", "--csv", "absent.csv"], "cannot read absent.csv"),
        (["--kind", "negcap", "--csv", "empty.csv"], "empty.csv has no rows to make a set of"),
        (["--kind", "captions", "--csv", "negcap.csv", "--train"], "it looks like --kind negcap"),
        (["--kind", "negcap", "--csv", "negcap.csv", "--questions", "negcap.csv"], "it looks like --kind negcap"),
        (
            ["--kind", "questions", "--train", "--csv", "negmcq.csv", "--questions", "negmcq.csv"],
            "--kind questions has questions already",
        ),
    ],
)
def test_flags_that_make_no_sense(files, capsys, monkeypatch, words, expected):
    from negjax.cli import main

    monkeypatch.chdir(files)
    Path("empty.csv").write_text("filepath,caption,negative_captions\n")
    code = main(["data", "build", *words, "--media-root", "media", "--name", "a", "--data-dir", "sets"])
    err = capsys.readouterr().err
    assert (code, expected in err, err.count("\n")) == (2, True, 1), err
    assert not (files / "sets").exists()
