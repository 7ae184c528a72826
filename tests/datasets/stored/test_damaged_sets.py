"""One bit that flips in any file of a set is found, with a line that names the file, or changes nothing that is read.

What a set must give is what was written: the test compares with the rows themselves.
"""

import hashlib
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.images import noise_png
from tensorflow_datasets.core.file_adapters import ArrayRecordFileAdapter
from tensorflow_datasets.proto import tf_example_pb2

from negjax.cli import main
from negjax.datasets.build.training_set import build_training_set
from negjax.datasets.sources.table_source import table_source
from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.verify import verify_set
from negjax.errors import NegjaxError

FLIPS = 150


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A set of one shard, `one`, and one of three, `three`, built from a CSV file."""
    folder = tmp_path_factory.mktemp("damage")
    (folder / "media").mkdir()
    rows = []
    for i in range(9):
        (folder / "media" / f"{i}.png").write_bytes(noise_png(i))
        rows.append(
            {"media": noise_png(i), "captions": [f"a {i}", "no b"], "options": ["x", f"y {i}"], "answer": i % 2}
        )
    metadata = {"task_kind": "train", "negated": True}
    write_set(folder / "sets", "one", lambda: iter(rows), ["captions", "question"], metadata)
    lines = "".join(f"""{i}.png,"['a {i}', 'not b']"\n""" for i in range(9))
    (folder / "t.csv").write_text("filepath,captions\n" + lines)
    source = table_source("captions", folder / "t.csv", folder / "media", 3)
    build_training_set(source, "three", folder / "sets", progress=False)
    return folder


def content(data_dir: Path, name: str) -> Any:
    """All that is read of a set."""
    data = open_set(data_dir, name)
    rows = [row | {"media": hashlib.sha256(row["media"]).hexdigest()} for row in data.rows()]
    lengths = {
        column: data.lengths(column).longest_R.tolist() for column in ("captions", "options") if column in rows[0]
    }
    return rows, lengths, data.metadata, data.fingerprint, data.fields


def complaint(data_dir: Path, name: str, expected: Any) -> str:
    """The error of reading a set; "" if it gives what is expected."""
    try:
        assert content(data_dir, name) == expected
    except NegjaxError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["one", "three"])
def test_a_flipped_bit_is_found_or_changes_nothing(files, tmp_path, name):
    rng = np.random.default_rng(len(name))
    expected = content(files / "sets", name)
    assert [row["media_sha256"] for row in expected[0]] == [row["media"] for row in expected[0]]
    folder = shutil.copytree(files / "sets" / name, tmp_path / name) / "1.0.0"
    paths = sorted(folder.iterdir())
    assert len(paths) == (6 if name == "one" else 8)
    found = {path.name: 0 for path in paths}
    for path in paths:
        whole = path.read_bytes()
        for flip in range(FLIPS // len(paths)):
            damaged = bytearray(whole)
            # Most of a small file of records is zeros that fill its blocks, and are not read.
            used = np.flatnonzero(np.frombuffer(whole, np.uint8))
            damaged[rng.choice(used) if flip % 4 else rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            message = complaint(tmp_path, name, expected)
            found[path.name] += bool(message)
            assert not message or path.name in message
        path.write_bytes(whole)
    assert content(tmp_path, name) == expected
    assert all(count == FLIPS // len(paths) for count in found.values())  # the shards are small, and all ends


def test_shards_that_have_changed_places_are_found(files, tmp_path):
    folder = shutil.copytree(files / "sets" / "three", tmp_path / "three") / "1.0.0"
    first, second, _ = sorted(folder.glob("*array_record*"))
    content_of_first = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content_of_first)
    with pytest.raises(NegjaxError, match=r"set three in .* is damaged \(three-rows\.array_record-0000[01]-of-00003 "):
        content(tmp_path, "three")


@pytest.fixture
def foreign(files, tmp_path) -> Path:
    """The folder of a copy of `three` whose second shard is that of another set, of equal size and with equal ids."""
    table = (files / "t.csv").read_text().replace("a 4", "e 4")
    (tmp_path / "t.csv").write_text(table)
    source = table_source("captions", tmp_path / "t.csv", files / "media", 3)
    build_training_set(source, "three", tmp_path / "other", progress=False)
    folder = shutil.copytree(files / "sets" / "three", tmp_path / "three") / "1.0.0"
    (own,) = folder.glob("*array_record-00001*")
    other = tmp_path / "other" / "three" / "1.0.0" / own.name
    assert own.stat().st_size == other.stat().st_size
    shutil.copy(other, own)
    return folder


def test_a_shard_of_another_set_is_found(files, foreign):
    data = open_set(foreign.parent.parent, "three")
    assert data[0] == open_set(files / "sets", "three")[0]
    for copy in (data, pickle.loads(pickle.dumps(data))):
        with pytest.raises(
            NegjaxError, match=r"three-rows\.array_record-00001-of-00003 was altered, or is of another set"
        ):
            copy[4]


def test_verify_adds_up_all_records(files, foreign, capsys):
    """Without the checksums of a shard's ends, as in sets of earlier versions, only the sum of the records shows it."""
    for name in ("one", "three"):
        verify_set(open_set(files / "sets", name))
    assert main(["data", "verify", "three", "--data-dir", str(files / "sets")]) == 0
    assert "three: all 9 rows are as they were built" in capsys.readouterr().out
    (foreign / "checksums.json").unlink()
    assert open_set(foreign.parent.parent, "three")[4]["captions"] == ["e 4", "not b"]
    assert main(["data", "verify", "three", "--data-dir", str(foreign.parent.parent)]) == 2
    assert "three/1.0.0 does not hold the records that were written" in capsys.readouterr().err


def test_verify_names_a_row_with_other_media(files, tmp_path):
    """A record whose own checksum is right, and whose column `media_sha256` is another's."""
    folder = shutil.copytree(files / "sets" / "one", tmp_path / "one") / "1.0.0"
    (folder / "checksums.json").unlink()
    data = open_set(tmp_path, "one")
    records = [tf_example_pb2.Example.FromString(data.source().data_source[i]) for i in range(9)]
    (shard,) = folder.glob("*array_record*")
    size = shard.stat().st_size
    sums = [record.features.feature["media_sha256"].bytes_list.value for record in records]
    sums[2][0], sums[3][0] = sums[3][0], sums[2][0]
    ArrayRecordFileAdapter.write_examples(shard, ((i, r.SerializeToString()) for i, r in enumerate(records)))
    assert shard.stat().st_size == size
    with pytest.raises(
        NegjaxError, match=r"one/1\.0\.0, row 2 is damaged \(its media are not those of its media_sha256"
    ):
        verify_set(open_set(tmp_path, "one"))


def test_a_set_of_an_earlier_version_has_no_checksums_and_is_read(files, tmp_path):
    folder = shutil.copytree(files / "sets" / "one", tmp_path / "one") / "1.0.0"
    (folder / "checksums.json").unlink()
    assert content(tmp_path, "one") == content(files / "sets", "one")


def test_a_damaged_result_of_a_stopped_build_is_made_again(files, tmp_path):
    """A flipped digit in shard-00000.json would change the lengths or the counts of the set."""
    source = table_source("captions", files / "t.csv", files / "media", 3)
    (files / "media" / "8.png").rename(tmp_path / "8.png")
    with pytest.raises(NegjaxError, match="1 of 9 rows cannot be used"):
        build_training_set(source, "again", tmp_path / "sets", progress=False)
    (tmp_path / "8.png").rename(files / "media" / "8.png")
    result = tmp_path / "sets" / "again.building" / "shard-00000.json"
    damaged = result.read_text().replace('"negated_texts": 3', '"negated_texts": 1')
    assert damaged != result.read_text()
    result.write_text(damaged)
    build_training_set(source, "again", tmp_path / "sets", progress=False)
    rows, lengths, *_ = content(tmp_path / "sets", "again")
    expected_rows, expected_lengths, *_ = content(files / "sets", "three")
    assert (rows, lengths) == (expected_rows, expected_lengths)
