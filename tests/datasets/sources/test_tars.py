"""WebDataset shards, written by tarfile and read without unpacking."""

import gzip
import json
import subprocess
import tarfile

import pytest
from support.tars import write_tar

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import refuse_row
from negjax.datasets.sources.tars import read_members, read_samples, unused_images
from negjax.datasets.sources.webdataset import expand_braces, webdataset_source
from negjax.errors import NegjaxError

FILES = {
    "000.jpg": b"first",
    "000.txt": "a café".encode(),
    "000.json": json.dumps({"caption": "other", "negative_captions": ["no dog"], "width": 3}).encode(),
    "001.json": b"{}",  # no image: img2dataset could not get it
    "folder/002.txt": b"text before its image",
    "folder/002.PNG": b"third",
    "folder/003.jpeg": b"",
    "a.b.jpg": b"dots",
}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_and_samples(tmp_path, form):
    long = "x" * 120 + "/004.jpg" if form != tarfile.USTAR_FORMAT else "004.jpg"
    path = write_tar(tmp_path / "00000.tar", FILES | {long: b"long"}, format=form)
    held = list(read_members(path))
    assert {member.name: member.read_bytes() for member in held} == FILES | {long: b"long"}
    found = list(read_samples(held))
    assert [sample.image.name for sample in found] == ["000.jpg", "folder/002.PNG", "folder/003.jpeg", long]
    assert found[0].read_cells() == {
        "filepath": "000.jpg",
        "caption": "a café",
        "captions": ["a café"],
        "negative_captions": ["no dog"],
        "width": 3,
    }
    assert found[1].read_cells()["captions"] == ["text before its image"]
    assert found[2].read_cells() == {"filepath": "folder/003.jpeg"}
    assert str(found[0].image) == f"{path}/000.jpg"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{000..010}.tar", [f"{number:03d}.tar" for number in range(11)]),
        ("{8..11}", ["8", "9", "10", "11"]),
        ("{0..2}", ["0", "1", "2"]),
        ("{09..11}", ["09", "10", "11"]),
        ("{2..0}", ["2", "1", "0"]),
        ("a{x,y,}b", ["axb", "ayb", "ab"]),
        ("{a,b}/{01..02}.tar", ["a/01.tar", "a/02.tar", "b/01.tar", "b/02.tar"]),
        ("{}{a}.tar", ["{}{a}.tar"]),
    ],
)
def test_lists_in_braces_are_those_of_bash(pattern, expected):
    assert expand_braces(pattern) == expected
    bash = subprocess.run(["bash", "-c", f"printf '%s\n' {pattern}"], capture_output=True, text=True, check=True)
    assert bash.stdout.splitlines() == expected


def test_shards_in_braces(tmp_path):
    for number in range(3):
        write_tar(tmp_path / f"{number:05d}.tar", {f"{number}.jpg": b"x", f"{number}.txt": b"y"})
    source = webdataset_source("captions", f"{tmp_path}/{{00002..00001}}.tar", 1)
    assert [row.path for row in source.read(refuse_row)] == ["2.jpg", "1.jpg"]
    with pytest.raises(NegjaxError, match=r"no such files found: .*; .*/00003\.tar is missing"):
        webdataset_source("captions", f"{tmp_path}/{{00000..00003}}.tar")
    with pytest.raises(NegjaxError, match=r"names .*/00001\.tar twice"):
        webdataset_source("captions", f"{tmp_path}/{{00001,*1}}.tar")
    with pytest.raises(NegjaxError, match=r"names 1,000,000,000 files, more than 1,000,000"):
        webdataset_source("captions", f"{tmp_path}/{{000000000..999999999}}.tar")
    write_tar(tmp_path / "{0..1}.tar", {"9.jpg": b"x", "9.txt": b"y"})
    assert webdataset_source("captions", f"{tmp_path}/{{0..1}}.tar").rows == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(b"x", mtime=0), "is compressed, .*: unpack it with gunzip"),
        (b"\x28\xb5\x2f\xfd", "is compressed, .*: unpack it with unzstd"),
        (b"PK\x03\x04", "is a ZIP archive, not a tar file"),
    ],
)
def test_packed_shards(tmp_path, content, expected):
    (tmp_path / "0.tar.x").write_bytes(content)
    with pytest.raises(NegjaxError, match=rf"0\.tar\.x {expected}"):
        webdataset_source("captions", f"{tmp_path}/*.tar*")


def test_images_that_no_sample_has(tmp_path):
    """Photographs with a dot in their names are told, not dropped in silence."""
    names = [
        "0.jpg",
        "photo.0.jpg",
        "photo.1.jpg",
        "photo.txt",
        "x/1.jpg",
        "x/1.png",
        "x/1.seg.png",
        "._0.jpg",
        "2.cls",
    ]
    path = write_tar(tmp_path / "a.tar", dict.fromkeys(names, b"x"))
    unused = ["photo.0.jpg", "photo.1.jpg", "x/1.jpg", "x/1.seg.png"]
    assert [member.name for member in unused_images(list(read_members(path)))] == unused
    (note,) = webdataset_source("captions", f"{tmp_path}/*.tar").notes
    assert note.startswith(f"skipped 4 images in the tar files (the first is {path}/photo.0.jpg): a sample has one")
    write_tar(path, dict.fromkeys(names[1:4], b"x"))
    with pytest.raises(NegjaxError, match="no samples with images in 1 files; skipped 2 images"):
        webdataset_source("captions", f"{tmp_path}/*.tar")


@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"caption": 3}', b"\xff"])
def test_a_sample_that_cannot_be_read(tmp_path, data):
    path = write_tar(tmp_path / "a.tar", {"0.jpg": b"x", "0.json": data})
    (sample,) = read_samples(read_members(path))
    with pytest.raises(ValueError, match="its"):
        sample.read_cells()


def test_broken_tars_are_one_line(tmp_path):
    path = write_tar(tmp_path / "a.tar", {f"{i}.jpg": b"x" * 3000 for i in range(4)})
    whole = path.read_bytes()
    for length in (700, 2000, 3584 + 600, 3584 * 3, 3584 * 3 + 100):
        path.write_bytes(whole[:length])
        with pytest.raises(NegjaxError, match=r"a\.tar is not a complete tar file \(.*\): download it again"):
            list(read_members(path))
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(NegjaxError, match="is not a complete tar file"):
        list(read_members(path))
    with pytest.raises(NegjaxError, match=r"cannot read .*absent.tar: No such file"):
        list(read_members(tmp_path / "absent.tar"))


def test_a_folder_may_be_a_tar_file_of_its_name(tmp_path):
    write_tar(tmp_path / "media" / "00000.tar", {"000000012.jpg": b"packed", "x/1.jpg": b"deep"})
    write_tar(tmp_path / "media" / "part" / "00001.tar", {"000010001.jpg": b"other"})
    root = MediaRoot(tmp_path / "media")
    for path, expected in {
        "/mnt/cc12m/00000/000000012.jpg": b"packed",
        "00000\\000000012.jpg": b"packed",
        "/mnt/part/00001/000010001.jpg": b"other",
        "00000/1.jpg": b"deep",
    }.items():
        place = root.find(path)
        assert place is not None
        assert place.read_bytes() == expected
    assert root.find("00001/000010001.jpg") is root.find("00000/absent.jpg") is root.find("000000012.jpg") is None
    (tmp_path / "media" / "00000").mkdir()
    (tmp_path / "media" / "00000" / "000000012.jpg").write_bytes(b"unpacked")
    place = MediaRoot(tmp_path / "media").find("00000/000000012.jpg")
    assert place is not None
    assert place.read_bytes() == b"unpacked"
