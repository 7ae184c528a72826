"""Files that are no regular ones, and animations: found when a set is built, never waited for."""

import os

import numpy as np
import pytest
from PIL import Image
from support.clips import clip
from support.images import encode, noise_png

from negjax.cli import main
from negjax.datasets.build.evaluation_set import build_evaluation_set, build_from_csv
from negjax.datasets.sources.class_folders import folder_source
from negjax.datasets.sources.rows import read_media
from negjax.datasets.sources.tars import TarMember
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


@pytest.fixture
def classes(tmp_path):
    """Two classes, of one image each, and an endless file and a pipe among them."""
    for name in ("cat", "dog"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        (tmp_path / "classes" / name / "1.png").write_bytes(noise_png(0))
    (tmp_path / "classes/cat/2.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "classes/dog/2.png")
    return tmp_path / "classes"


def test_pipes_and_devices_are_broken_images(classes, tmp_path):
    source = folder_source(classes, None, "simple")
    with pytest.raises(NegjaxError, match=r"cat/2.png: it is a pipe or a device"):
        build_evaluation_set(source, "a", tmp_path / "data", progress=False)
    built = build_evaluation_set(source, "a", tmp_path / "data", skip_missing=True, progress=False)
    assert built.written == 2


@pytest.mark.parametrize(
    "flags",
    [
        ["--kind", "captions", "--csv", "PIPE", "--media-root", "."],
        ["--kind", "pairs", "--json", "PIPE", "--media-root", "."],
        ["--kind", "captions", "--webdataset", "PIPE", "--train"],
    ],
)
def test_pipes_as_tables(flags, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.tar")
    flags = [flag.replace("PIPE", str(tmp_path / "pipe.tar")) for flag in flags]
    assert main(["data", "build", *flags, "--name", "a", "--data-dir", str(tmp_path)]) == 2
    assert "pipe.tar: it is a pipe or a device" in capsys.readouterr().err


def animation(kind):
    frames = [Image.fromarray(np.full((16, 16), shade, np.uint8)) for shade in (0, 80, 160, 240)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


def test_a_gif_beside_clips_is_a_clip(tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip(5))
    (tmp_path / "b.gif").write_bytes(animation("GIF"))
    (tmp_path / "t.csv").write_text("filepath,captions\na.mp4,['x']\nb.gif,['y']\n")
    build_from_csv("captions", tmp_path / "t.csv", tmp_path, "a", tmp_path / "data", progress=False)
    assert open_set(tmp_path / "data", "a").metadata["media_type"] == "video"
    (tmp_path / "b.gif").write_bytes(encode(Image.new("L", (9, 9)), "GIF"))
    with pytest.raises(NegjaxError, match="this is a still image, not a clip"):
        build_from_csv("captions", tmp_path / "t.csv", tmp_path, "b", tmp_path / "data", progress=False)


def test_animations_among_images_are_told(tmp_path, caplog):
    (tmp_path / "a.gif").write_bytes(animation("GIF"))
    (tmp_path / "b.png").write_bytes(noise_png(1))
    (tmp_path / "t.csv").write_text("filepath,captions\na.gif,['x']\nb.png,['y']\n")
    build_from_csv("captions", tmp_path / "t.csv", tmp_path, "a", tmp_path / "data", progress=False)
    assert "1 images are animations, the first a.gif: only first frames are used" in caplog.text


def test_members_of_tar_files_are_bounded():
    with pytest.raises(NegjaxError, match=r"a.tar/x.jpg: it has 2,147,483,648 bytes, more than 1,073,741,824"):
        read_media(TarMember("a.tar", "x.jpg", 0, 1 << 31))
