"""`negjax data build` as people call it: every kind, and flags that do not go together."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import run_command

from negjax.cli import main
from negjax.datasets.stored.store import open_set


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    return run_command(capsys, "data", "build", *words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--kind", "negcap", "--json", "x"], "--kind negcap takes --csv or --webdataset, not --json"),
        (["--kind", "questions"], "--kind questions takes --csv or --webdataset"),
        (["--kind", "questions", "--csv", "x", "--json", "y"], "takes --csv or --webdataset, not --csv and --json"),
        (["--kind", "negcap", "--webdataset", "x", "--media-root", "a"], "--media-root goes with --csv or --json, not"),
        (
            ["--kind", "folder", "--folder", "x", "--train"],
            "--train goes with --csv or --json or --webdataset, not with --folder",
        ),
        (["--kind", "pairs", "--folder", "x"], "--kind pairs takes --csv or --json or --webdataset, not --folder"),
        (["--kind", "folder", "--csv", "x"], "--kind folder takes --folder or --tfds, not --csv"),
        (["--kind", "folder", "--folder", "x", "--tfds", "y"], "takes --folder or --tfds, not --folder and --tfds"),
        (["--kind", "pairs", "--json", "x"], "--json needs --media-root too"),
        (["--kind", "folder", "--tfds", "x"], "--tfds needs --split too"),
        (
            ["--kind", "folder", "--folder", "x", "--split", "a"],
            "--split goes with --json or --tfds, not with --folder",
        ),
        (["--kind", "folder", "--folder", "x", "--media-root", "a"], "--media-root goes with --csv or --json"),
        (["--kind", "pairs", "--csv", "x", "--templates", "none"], "--templates goes with --folder or --tfds"),
    ],
)
def test_flags_that_do_not_go_together(capsys, tmp_path, words, expected):
    code, out, err = run(capsys, *words, "--name", "a", "--data-dir", tmp_path / "data")
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_help_has_an_example_of_every_kind(capsys):
    with pytest.raises(SystemExit):
        main(["data", "build", "--help"])
    text = capsys.readouterr().out
    for kind in ("captions", "negcap", "questions", "pairs", "folder"):
        assert f"negjax data build --kind {kind} --" in text


def test_a_folder_of_photographs(capsys, test_data: Path, tmp_path):
    photographs = sorted((test_data / "coco_val2017").glob("*.jpg"))[:4]
    for number, photograph in enumerate(photographs):
        place = tmp_path / "photos" / f"class_{number // 2}" / photograph.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photograph.read_bytes())
    words = ["--kind", "folder", "--folder", tmp_path / "photos", "--name", "zero", "--data-dir", tmp_path / "data"]
    code, out, _ = run(capsys, *words, "--templates", "simple")
    assert (code, out.splitlines()[0]) == (0, f"zero: 4 rows in {tmp_path / 'data' / 'zero'}")
    data = open_set(tmp_path / "data", "zero")
    assert (data.metadata["classnames"], len(data.metadata["templates"])) == (["class 0", "class 1"], 7)
    code, _, err = run(capsys, *words)
    assert (code, "--overwrite it" in err) == (2, True)
    code, _, _ = run(capsys, *words, "--overwrite", "--negated", "yes")
    assert (code, open_set(tmp_path / "data", "zero").metadata["negated"]) == (0, True)
    assert len(open_set(tmp_path / "data", "zero").metadata["templates"]) == 80


def test_published_pairs(capsys, test_data: Path, tmp_path):
    """NegRefCOCOg's first item, of whose images this stands for one."""
    photograph = next((test_data / "coco_val2017").glob("*.jpg")).read_bytes()
    (tmp_path / "COCO_train2014_000000374391.jpg").write_bytes(photograph)
    path = test_data / "formats" / "negrefcocog.json"
    words = [
        "--kind",
        "pairs",
        "--json",
        path,
        "--media-root",
        tmp_path,
        "--name",
        "ref",
        "--data-dir",
        tmp_path / "data",
    ]
    code, _, err = run(capsys, *words)
    assert (code, "19 of 20 rows cannot be used: their images do not exist below" in err) == (2, True)
    code, out, _ = run(capsys, *words, "--skip-missing")
    assert (code, out.splitlines()[0]) == (0, f"ref: 2 rows in {tmp_path / 'data' / 'ref'}")
    assert "skipped 19 of 20 rows" in out


def test_a_missing_file_is_told_with_what_to_do(capsys, tmp_path):
    """Only the ends of a path are looked for: x/1.png is not the 1.png of some other folder."""
    (tmp_path / "media" / "sub").mkdir(parents=True)
    (tmp_path / "media" / "sub" / "1.png").write_bytes(b"")
    (tmp_path / "a.csv").write_text("filepath,captions\nx/1.png,\"['a']\"\n")
    words = ["--kind", "captions", "--csv", tmp_path / "a.csv", "--media-root", tmp_path / "media"]
    code, _, err = run(capsys, *words, "--name", "a", "--data-dir", tmp_path / "data")
    assert (code, err.count("\n")) == (2, 1)
    assert "the first is row 0 (x/1.png); give the folder in which its path, or the end of its path, exists" in err
    assert "skip such rows with --skip-missing" in err


def test_the_home_folder_in_any_path(capsys, monkeypatch, tmp_path):
    """A shell leaves ~ as it is after --flag= and in quotes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "a.csv").write_text("filepath,captions\n1.png,['a']\n")
    words = ["--kind", "captions", "--csv=~/a.csv", "--media-root=~", "--name", "a", "--data-dir=~/data"]
    code, out, err = run(capsys, *words)
    assert (code, out.splitlines()[0]) == (0, f"a: 1 rows in {tmp_path / 'data' / 'a'}"), err
    assert main(["data", "list", "--data-dir=~/data"]) == 0
    code, _, err = run(capsys, "--kind", "captions", "--webdataset", "~/*.tar", "--name", "b", "--data-dir", tmp_path)
    assert (code, f"--webdataset {tmp_path}/*.tar: no such files found" in err) == (2, True)


def test_odd_pictures_are_stored_as_they_are(capsys, tmp_path):
    """What is made of them when they are looked at: tests/media/test_images.py."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8))
    grey = picture.convert("L")
    turned = Image.Exif()
    turned[0x0112] = 6
    media = tmp_path / "media"
    media.mkdir()
    picture.convert("CMYK").save(media / "cmyk.jpg")
    grey.save(media / "grey.jpg")
    Image.fromarray(np.asarray(grey).astype(np.uint16) << 8).save(media / "sixteen.png")
    picture.save(media / "turned.jpg", exif=turned)
    picture.convert("P").save(media / "moving.gif", save_all=True, append_images=[grey.convert("P")])
    (media / "again.jpg").write_bytes((media / "grey.jpg").read_bytes())
    files = sorted(media.iterdir())
    rows = [f"{file.name},\"['', '{'word ' * 130}']\"\n" for file in files]
    (tmp_path / "a.csv").write_text("".join(["filepath,captions\n", *rows]))
    words = ["--kind", "captions", "--csv", tmp_path / "a.csv", "--media-root", media]
    code, out, _ = run(capsys, *words, "--name", "a", "--data-dir", tmp_path / "data")
    assert (code, out.splitlines()[0]) == (0, f"a: 6 rows in {tmp_path / 'data' / 'a'}")
    assert "  empty texts: 6, kept like the others" in out.splitlines()
    data = open_set(tmp_path / "data", "a")
    assert [row["media"] for row in data.rows()] == [file.read_bytes() for file in files]
    assert {len(row["captions"][1]) for row in data.rows()} == {650}
