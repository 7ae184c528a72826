"""Sets of clips: found, checked and stored byte for byte; the clips are real ones."""

from pathlib import Path

import pytest

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


@pytest.fixture
def media(test_data, tmp_path) -> Path:
    """A whole clip under two of MSR-VTT's names, a broken one and an image."""
    folder = tmp_path / "media"
    folder.mkdir()
    clip = (test_data / "videos" / "bikes.mp4").read_bytes()
    for name in ("video9838.mp4", "video7233.mp4"):
        (folder / name).write_bytes(clip)
    (folder / "broken.mp4").write_bytes((test_data / "videos" / "corrupted.mp4").read_bytes())
    (folder / "still.jpg").write_bytes(next((test_data / "coco_val2017").glob("*.jpg")).read_bytes())
    return folder


def table(folder: Path, files: list[str]) -> Path:
    path = folder / "t.csv"
    path.write_text("filepath,captions\n" + "".join(f"data/{file},['x']\n" for file in files))
    return path


@pytest.mark.parametrize(
    ("name", "kind", "task_kind", "negated"),
    [
        ("msr_vtt_mcq_rephrased_llama.csv", "questions", "mcq", True),
        ("msr_vtt_retrieval.csv", "captions", "retrieval", False),
        ("msr_vtt_retrieval_rephrased_llama.csv", "captions", "retrieval", True),
    ],
)
def test_msr_vtt_as_published(test_data, tmp_path, media, name, kind, task_kind, negated):
    csv = test_data / "negbench" / "videos" / name
    with pytest.raises(
        NegjaxError,
        match=r"998 of 1,000 rows cannot be used: their videos do not exist below .*/media; the first is row 2 ",
    ):
        build_from_csv(kind, csv, media, "clips", tmp_path / "sets", progress=False)
    built = build_from_csv(kind, csv, media, "clips", tmp_path / "sets", skip_missing=True, progress=False)
    assert (built.rows, built.written, built.skipped["missing"]) == (1000, 2, 998)
    data = open_set(tmp_path / "sets", "clips")
    said = data.metadata
    assert (said["media_type"], said["task_kind"], said["negated"]) == ("video", task_kind, negated)
    assert said["source"]["rows"] == 1000
    assert data[0]["media"] == data[1]["media"] == (media / "video9838.mp4").read_bytes()
    if kind == "questions":
        assert data[0]["option_kinds"] == ["positive", "hybrid", "positive", "negative"]


def test_a_broken_clip_ends_the_build_unless_skipped(tmp_path, media):
    path = table(tmp_path, ["broken.mp4", "video9838.mp4"])
    with pytest.raises(
        NegjaxError, match=r"1 of 2 rows cannot be used: their videos cannot be decoded \(.*\); the first is row 0 "
    ):
        build_from_csv("captions", path, media, "clips", tmp_path / "sets", progress=False)
    built = build_from_csv("captions", path, media, "clips", tmp_path / "sets", skip_missing=True, progress=False)
    assert (built.written, built.skipped["broken"]) == (1, 1)
    assert [row["id"] for row in open_set(tmp_path / "sets", "clips").rows()] == [1]


def test_clips_and_images_do_not_mix(tmp_path, media):
    path = table(tmp_path, ["still.jpg", "video9838.mp4"])
    message = r"names clips \(row 1, data/video9838.mp4\) and images \(row 0, data/still.jpg\): a set holds one or the"
    with pytest.raises(NegjaxError, match=message):
        build_from_csv("captions", path, media, "clips", tmp_path / "sets", progress=False)


def test_a_clip_without_its_suffix_is_a_missing_file(tmp_path, media):
    with pytest.raises(
        NegjaxError, match=r"1 of 1 rows cannot be used: their images do not exist below .* row 0 \(data/video9838\);"
    ):
        build_from_csv("captions", table(tmp_path, ["video9838"]), media, "clips", tmp_path / "sets", progress=False)
