"""`negjax data build` as people call it: every kind, and flags that do not go together."""

from pathlib import Path

import pytest

from negjax.cli import main
from negjax.datasets.store import open_set


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["data", "build", *(str(word) for word in words)])
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--kind", "captions", "--json", "x"], "--kind captions takes --csv, not --json"),
        (["--kind", "questions"], "--kind questions takes --csv"),
        (["--kind", "questions", "--csv", "x", "--json", "y"], "--kind questions takes --csv, not --csv and --json"),
        (["--kind", "pairs", "--folder", "x"], "--kind pairs takes --csv or --json, not --folder"),
        (["--kind", "folder", "--csv", "x"], "--kind folder takes --folder or --tfds, not --csv"),
        (["--kind", "folder", "--folder", "x", "--tfds", "y"], "takes --folder or --tfds, not --folder and --tfds"),
        (["--kind", "pairs", "--json", "x"], "--json needs --media-root too"),
        (["--kind", "folder", "--tfds", "x"], "--tfds needs --split too"),
        (["--kind", "folder", "--folder", "x", "--split", "a"], "--split goes with --tfds, not with --folder"),
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
    assert (code, "19 of 20 rows name files that are not below" in err) == (2, True)
    code, out, _ = run(capsys, *words, "--skip-missing")
    assert (code, out.splitlines()[0]) == (0, f"ref: 2 rows in {tmp_path / 'data' / 'ref'}")
    assert "left out 19 of 20 rows" in out
