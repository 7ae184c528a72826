"""`negjax data suite`: all sets of a config file, from files that lie at any depth."""

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from support.command import run_command

from negjax.cli import main
from negjax.datasets.stored.store import open_set, set_names

CONFIG = """
from ml_collections import ConfigDict
def get_config():
    return ConfigDict({"tasks": {
        "a_bias": {"kind": "affirmation", "source": "photos"},
        "classes": {"kind": "folder", "file": "classes", "templates": "none"},
        "pairs": {"kind": "pairs", "file": "deep/pairs.json"},
        "photos": {"kind": "captions", "file": "photos.csv"},
    }})
"""


def picture(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (shade, 0, 0)).save(path)


@pytest.fixture
def place(tmp_path) -> Path:
    """A config, its files (the CSV file two folders down) and its images."""
    (tmp_path / "config.py").write_text(CONFIG)
    for number in range(4):
        picture(tmp_path / "media" / f"{number}.png", 60 * number)
        picture(tmp_path / "media" / "classes" / f"class_{number % 2}" / f"{number}.png", 60 * number)
    (tmp_path / "files" / "one" / "two").mkdir(parents=True)
    text = io.StringIO(newline="")
    rows = [[f"/theirs/{number}.png", "['a scene']", f"['{('cat', 'dog')[number % 2]}']"] for number in range(4)]
    csv.writer(text).writerows([["filepath", "captions", "positive_objects"], *rows])
    (tmp_path / "files" / "one" / "two" / "photos.csv").write_text(text.getvalue())
    (tmp_path / "files" / "one" / "deep").mkdir()
    pairs = {"0": {"filename": "0.png", "caption": "a cat", "negative_caption": "no cat"}}
    (tmp_path / "files" / "one" / "deep" / "pairs.json").write_text(json.dumps(pairs))
    return tmp_path


def run(capsys, place: Path, *words: str) -> tuple[int, str, str]:
    config, files, media, data = (str(place / name) for name in ("config.py", "files", "media", "data"))
    where = ["--config", config, "--files", files, "--media-root", media, "--data-dir", data]
    return run_command(capsys, "data", "suite", *where, *words)


def test_all_sets_are_made_and_then_left_alone(capsys, place):
    code, out, _ = run(capsys, place)
    assert code == 0
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [
        "classes: 4 rows",
        "pairs: 1 rows",
        "photos: 4 rows",
        "a_bias: 8 rows that show 4 images",
    ]
    assert open_set(place / "data", "classes").metadata["classnames"] == ["class 0", "class 1"]
    assert open_set(place / "data", "a_bias").metadata["task_kind"] == "affirmation"
    code, out, _ = run(capsys, place)
    assert (code, out.count("exists already\n")) == (0, 4)


def test_it_goes_on_where_it_stopped(capsys, place):
    picture = (place / "media" / "2.png").read_bytes()
    (place / "media" / "2.png").unlink()
    code, _, err = run(capsys, place)
    assert (code, "1 of 4 rows cannot be used: their images do not exist below" in err) == (2, True)
    assert set_names(place / "data") == ["classes", "pairs"]
    (place / "media" / "2.png").write_bytes(picture)
    assert run(capsys, place)[0] == 0
    assert set_names(place / "data") == ["a_bias", "classes", "pairs", "photos"]


def test_rows_without_media_are_left_out_on_demand(capsys, place):
    (place / "media" / "2.png").unlink()
    code, out, _ = run(capsys, place, "--skip-missing")
    assert (code, "photos: 3 rows" in out, "skipped 1 of 4 rows" in out) == (0, True, True)


def test_files_that_are_not_there_or_twice(capsys, place):
    text = (place / "files" / "one" / "two" / "photos.csv").read_text()
    hidden = place / "files" / ".cache" / "photos.csv"
    hidden.parent.mkdir()
    hidden.write_text(text)  # not looked at
    other = place / "files" / "other" / "photos.csv"
    other.parent.mkdir()
    other.write_text(text)
    code, _, err = run(capsys, place)
    assert (code, f"photos.csv is 2 times below {place / 'files'}" in err) == (2, True)
    (place / "files" / "photos.csv").write_text(text)  # directly in the folder, it is meant
    assert run(capsys, place)[0] == 0
    for path in (place / "files").rglob("pairs.json"):
        path.unlink()
    (place / "data").rename(place / "elsewhere")
    code, _, err = run(capsys, place)
    assert (code, "deep/pairs.json not found below" in err, err.count("\n")) == (2, True, 1)


@pytest.mark.slow
def test_the_published_coco_files(capsys, test_data: Path, tmp_path):
    """The first thing that people try, on the photographs that are here."""
    config = Path(__file__).parents[2] / "configs" / "eval_coco.py"
    where = ["--files", test_data / "negbench", "--media-root", test_data / "coco_val2017", "--data-dir", tmp_path]
    code = main(["data", "suite", "--config", str(config), *map(str, where), "--skip-missing"])
    assert (code, len(set_names(tmp_path))) == (0, 6)
    rows = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert rows[:3] == ["coco_mcq: 327 rows", "coco_negated_retrieval: 255 rows", "coco_retrieval: 255 rows"]


@pytest.mark.parametrize("finding", ["", ":Lung_Opacity"])
def test_the_x_ray_files_of_one_finding(capsys, test_data: Path, tmp_path, finding):
    """They have other names than the ones that NegBench's datasets.md lists; the images are nobody's to give."""
    config = Path(__file__).parents[2] / "configs" / "eval_chexpert.py"
    picture(tmp_path / "media" / "a.png", 0)
    where = ["--files", test_data / "negbench", "--media-root", tmp_path / "media", "--data-dir", tmp_path / "data"]
    code = main(["data", "suite", "--config", f"{config}{finding}", *map(str, where)])
    expected = "1,018 of 1,018 rows cannot be used" if finding else "chexpert_binary_mcq_control.csv not found below"
    assert (code, expected in capsys.readouterr().err) == (2, True)
