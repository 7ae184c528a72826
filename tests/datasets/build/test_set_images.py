"""Over all shards of a set: no two paths are one file; images of several rows and dropped folders are told once."""

from pathlib import Path

import numpy as np
import pytest
from support.images import noise_jpeg

from negjax.datasets.build.evaluation_set import build_evaluation_set
from negjax.datasets.build.media_matches import MediaMatches
from negjax.datasets.build.outcome import BuiltSet
from negjax.datasets.build.set_images import SetImages, shard_images
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.rows import Row, RowSource
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError


def place(root: Path, *names: str) -> Path:
    """Different pictures of these names; the size of each differs from those of the others."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(noise_jpeg(i, (100 + 50 * i, 90)))
    return root


def build(folder: Path, paths: list[str], shard_rows: int = 1, **more) -> BuiltSet:
    table = folder / "t.csv"
    table.write_text("filepath,caption\n" + "".join(f"{path},a {i}\n" for i, path in enumerate(paths)))
    source = table_source("captions", table, folder / "media", shard_rows)
    return build_training_set(source, "s", folder / "sets", progress=False, **more)


CATS_AND_DOGS = ["other.jpg", "other.jpg", "cats/0001.jpg", "dogs/0001.jpg"]


IN_PROCESSES = pytest.param(1, 2, marks=pytest.mark.slow)


@pytest.mark.parametrize(("shard_rows", "processes"), [(10, 1), (1, 1), (2, 1), (3, 1), IN_PROCESSES])
def test_two_paths_that_are_found_as_one_file_are_an_error(tmp_path, shard_rows, processes):
    """The media root lies one level too deep. Nothing is kept that might hold the wrong image."""
    root = place(tmp_path / "media", "other.jpg", "0001.jpg")
    with pytest.raises(NegjaxError) as caught:
        build(tmp_path, CATS_AND_DOGS, shard_rows, processes=processes)
    assert str(caught.value) == (
        f"{tmp_path / 't.csv'}: row 2 (cats/0001.jpg) and row 3 (dogs/0001.jpg) name two files, but both are found as "
        f"{root / '0001.jpg'}: give as --media-root the folder in which the two paths, or longer ends of them, exist; "
        "the shards built so far may hold wrong images, and are deleted"
    )
    assert list((tmp_path / "sets").iterdir()) == []
    cat, dog = noise_jpeg(8), noise_jpeg(9)
    for name, data in (("cats/0001.jpg", cat), ("dogs/0001.jpg", dog)):
        (root / name).parent.mkdir()
        (root / name).write_bytes(data)
    assert build(tmp_path, CATS_AND_DOGS, shard_rows).written == 4
    other = (root / "other.jpg").read_bytes()
    assert [row["media"] for row in open_set(tmp_path / "sets", "s").rows()] == [other, other, cat, dog]


def test_also_after_a_build_was_resumed(tmp_path):
    """The first three shards are complete when the fourth cannot be written."""
    place(tmp_path / "media", "other.jpg", "0001.jpg")
    workspace = tmp_path / "sets" / "s.building"
    blocked = workspace / "s" / "1.0.0" / "s-rows.array_record-00003-of-00004"
    blocked.mkdir(parents=True)
    with pytest.raises(NegjaxError, match=r"cannot write .*-00003-of-00004.*; run the same command again to resume"):
        build(tmp_path, CATS_AND_DOGS)
    blocked.rmdir()
    complete = {path: path.stat().st_mtime_ns for path in workspace.glob("shard-*.json")}
    assert [path.name for path in sorted(complete)] == [f"shard-0000{index}.json" for index in range(3)]
    with pytest.raises(NegjaxError, match=r"row 2 \(cats/0001.jpg\) and row 3 \(dogs/0001.jpg\) name two files"):
        build(tmp_path, CATS_AND_DOGS)
    assert not workspace.exists()


def test_spellings_of_one_path_are_one_image_in_all_shards(tmp_path):
    place(tmp_path / "media", "a/1.jpg")
    built = build(tmp_path, ["a/1.jpg", "./a//1.jpg", "/a/1.jpg", "a\\1.jpg"])
    assert [note for note in built.notes if "rows show 1 images" in note]


SHARED = ["a.jpg", "b.jpg", "a.jpg", "./a.jpg", "c.jpg", "b.jpg"]


def check_shared(folder: Path, built: BuiltSet) -> None:
    """The note on the rows of SHARED has the number of bytes that the set holds more than once."""
    stored = [row["media"] for row in open_set(folder / "sets", "s").rows()]
    repeated = sum(map(len, stored)) - sum(map(len, set(stored)))
    assert repeated > 0
    (note,) = [note for note in built.notes if "rows show" in note]
    assert note == (
        "6 rows show 3 images: each row stores its own copy, which takes "
        f"{repeated / 2**20:,.1f} MiB more than one of each"
    )


@pytest.fixture
def shared(tmp_path) -> Path:
    """Pictures of noise of several MiB in all, which shrink to other sizes."""
    for name, side in (("a", 700), ("b", 500), ("c", 400)):
        (tmp_path / "media").mkdir(exist_ok=True)
        (tmp_path / "media" / f"{name}.jpg").write_bytes(noise_jpeg(side, (side, side)))
    return tmp_path


@pytest.mark.parametrize(("shard_rows", "short_side"), [(1, 0), (4, 0), (10, 0), (2, 300)])
def test_images_that_several_rows_show_are_told(shared, shard_rows, short_side):
    check_shared(shared, build(shared, SHARED, shard_rows, short_side=short_side))


def test_also_of_evaluation_sets(shared):
    table = shared / "t.csv"
    rows = "".join(f"{path},a {i},no {i}\n" for i, path in enumerate(SHARED))
    table.write_text(f"filepath,caption,negative_caption\n{rows}")
    source = table_source("pairs", table, shared / "media")
    check_shared(shared, build_evaluation_set(source, "s", shared / "sets", progress=False))


def test_missing_and_broken_rows_show_nothing(tmp_path):
    root = place(tmp_path / "media", "a.jpg", "b.jpg")
    (root / "b.jpg").write_bytes(b"broken")
    built = build(tmp_path, ["a.jpg", "b.jpg", "b.jpg", "absent.jpg", "absent.jpg"], skip_missing=True)
    assert built.written == 1
    assert not [note for note in built.notes if "rows show" in note]


@pytest.mark.parametrize("shard_rows", [1, 2, 10])
def test_dropped_folders_are_told_once(tmp_path, shard_rows):
    """b/2.jpg and e/3.jpg are found without their folder, in several shards each, and a/1.jpg in its own."""
    root = place(tmp_path / "media", "2.jpg", "a/1.jpg", "3.jpg")
    paths = ["/d/b/2.jpg", "/d/b/2.jpg", "/d/e/3.jpg", "/d/a/1.jpg", "/d/b/2.jpg", "/d/e/3.jpg", "/d/a/1.jpg"]
    (note,) = [note for note in build(tmp_path, paths, shard_rows).notes if "without folders" in note]
    assert note == (
        "2 files are found only without folders of their paths, which others are in (the first is row 0: /d/b/2.jpg is "
        f"{root / '2.jpg'}): check that these are the right files"
    )


@pytest.mark.parametrize("paths", [["/d/b/2.jpg", "/d/e/3.jpg"], ["/d/a/1.jpg", "/d/a/1.jpg"]])
def test_usual_folders_are_not_remarked_upon(tmp_path, paths):
    place(tmp_path / "media", "2.jpg", "a/1.jpg", "3.jpg")
    assert not [note for note in build(tmp_path, paths).notes if "without folders" in note]


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_shards_gives_the_counts_of_all_rows(seed):
    """Files are numbers; every fifth is broken, so that no row stores it. A file of n has 100 + n bytes."""
    rng = np.random.default_rng(seed)
    files = rng.integers(30, size=90).tolist()
    shards = np.split(np.arange(90), np.sort(rng.integers(91, size=8)))
    images = SetImages(RowSource("captions", "t", "t", "", "/m", ("captions",), ()))
    for shard in rng.permutation(len(shards)):
        matches = MediaMatches("t", "/m")
        for row in shards[shard].tolist():
            media = Path(f"/m/{files[row]}.jpg")
            matches.add(Row(row, media.name, {}), media)
            if files[row] % 5:
                matches.add_copy(media, 100 + files[row])
        images.add(shard_images(matches))
    copies = [file for file in files if file % 5]
    assert len(images.known) == len(set(files))
    assert (images.copies, images.stored) == (len(copies), len(set(copies)))
    assert images.repeated_bytes == sum(100 + file for file in copies) - sum(100 + file for file in set(copies))
