"""Pictures inside Parquet files, and img2dataset's folders of loose files."""

import json
import pickle
import threading

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from support.images import noise_png

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import read_media
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.sources.webdataset import webdataset_source
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError

ROWS = 150
PICTURES = [noise_png(i, (4, 4)) for i in range(ROWS)]


@pytest.fixture
def parquet(tmp_path):
    """A file as `datasets.Dataset.to_parquet` writes it, with several row groups."""
    names = [None if i % 3 else f"folder/photo {i}.png" for i in range(ROWS)]
    table = pyarrow.table(
        {
            "picture": [{"bytes": data, "path": name} for data, name in zip(PICTURES, names)],
            "caption": [[f"caption {i}", "another"] for i in range(ROWS)],
        }
    )
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir()
    pyarrow.parquet.write_table(table, path, row_group_size=64)
    return path


def test_rows_have_the_paths_of_their_pictures(parquet):
    source = table_source("captions", parquet, parquet.parent, shard_rows=40)
    rows = list(source.read(lambda *_: None))
    assert [row.path for row in rows[:2]] == ["test-00000-of-00001/0/photo 0.png", "test-00000-of-00001/1"]
    assert [row.record["captions"] for row in rows] == [[f"caption {i}", "another"] for i in range(ROWS)]
    assert [row.index for row in source.shards[2].read(lambda *_: None)] == list(range(80, 120))
    find = pickle.loads(pickle.dumps(source.find_media))  # in another process
    for row in (rows[k] for k in np.random.default_rng(0).permutation(ROWS)):  # in any order
        assert read_media(find(row.path)) == PICTURES[row.index]


def test_threads_read_one_file_together(parquet):
    root, wrong = MediaRoot(parquet.parent.parent), []

    def read(start: int) -> None:
        for i in range(start, ROWS, 3):
            if read_media(root.find(f"/published/data/test-00000-of-00001/{i}")) != PICTURES[i]:
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_set_of_pictures(parquet, tmp_path):
    build_from_csv("captions", parquet, parquet.parent, "mine", tmp_path / "sets", progress=False)
    rows = list(open_set(tmp_path / "sets", "mine").rows())
    assert [row["media"] for row in rows] == PICTURES
    assert rows[3]["captions"] == ["caption 3", "another"]


def test_rows_without_a_picture(parquet, tmp_path):
    table = pyarrow.table(
        {
            "image": [{"bytes": None, "path": "a.png"}, {"bytes": PICTURES[0], "path": None}, None],
            "text": ["x", "y", "z"],
        }
    )
    path = tmp_path / "gaps.parquet"
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(NegjaxError, match=r"row 0 holds no picture, at most the path of one"):
        build_from_csv("captions", path, tmp_path, "gaps", tmp_path / "sets", progress=False)
    result = build_from_csv("captions", path, tmp_path, "gaps", tmp_path / "sets", skip_missing=True, progress=False)
    assert result.skipped["broken"] == 2
    assert [row["media"] for row in open_set(tmp_path / "sets", "gaps").rows()] == PICTURES[:1]
    root = MediaRoot(tmp_path)
    assert root.find("gaps/3") is None
    assert root.find("other/0") is None


def test_a_column_of_paths_comes_before_pictures(tmp_path):
    path = tmp_path / "both.parquet"
    table = {"image": [{"bytes": PICTURES[0], "path": None}], "filepath": ["a.png"], "caption": ["x"]}
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    assert [row.path for row in table_source("captions", path, tmp_path).read(lambda *_: None)] == ["a.png"]


def test_img2datasets_loose_files(tmp_path):
    """Its format "files": DIR/00000/000000000.jpg with .txt and .json beside it, .json alone for a failed download."""
    for shard in range(2):
        folder = tmp_path / "cc" / f"0000{shard}"
        folder.mkdir(parents=True)
        for i in range(3):
            key = folder / f"0000{shard}000{i}"
            key.with_suffix(".json").write_text(json.dumps({"caption": f"caption {shard} {i}", "key": key.name}))
            if i < 2:
                key.with_suffix(".png").write_bytes(PICTURES[2 * shard + i])
                key.with_suffix(".txt").write_text(f"caption {shard} {i}")
        (tmp_path / "cc" / f"0000{shard}.parquet").write_bytes(b"metadata")
        (tmp_path / "cc" / f"0000{shard}_stats.json").write_text("{}")
    source = webdataset_source("captions", str(tmp_path / "cc"))
    rows = list(source.read(lambda *_: None))
    assert [row.record["captions"] for row in rows] == [[f"caption {shard} {i}"] for shard in (0, 1) for i in (0, 1)]
    assert [read_media(row.media) for row in rows] == PICTURES[:4]
    assert [row.index for row in rows] == [0, 1, 2, 3]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NegjaxError, match="no samples with images in 1 files"):
        webdataset_source("captions", str(tmp_path / "empty"))
