"""Sets on disk: what is written is read back, whole or not at all."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grain
import numpy as np
import pytest
import tensorflow_datasets as tfds
from support.images import png
from tensorflow_datasets.proto import tf_example_pb2

from negjax.datasets.stored.store import list_sets, open_set, write_set
from negjax.datasets.stored.writing import SetSpec, serialize
from negjax.errors import NegjaxError

TRAIN = {"task_kind": "train", "negated": True}


def captioned(count: int) -> list[dict]:
    return [
        {
            "id": 10 * i,
            "group": i // 2,
            "media": png(i),
            "captions": [f"an été with {i} cats", ""][: 1 + i % 2],
            "positive_objects": ["cat"] * (i % 3),
            "negative_objects": [],
            "negated_captions": ["no dog", "not a single dog is to be seen here"],
            "options": ["a", "no a", "b"],
            "answer": i % 3,
            "kind": "negative",
            "option_kinds": ["positive", "negative", "positive"],
        }
        for i in range(count)
    ]


def write(folder: Path, rows: list[dict], name: str = "some-Set_1", **more) -> Path:
    fields = ["captions", "negated_captions", "question"]
    return write_set(folder, name, lambda: iter(rows), fields, {**TRAIN, "source": {"n": 1}}, **more)


def simple(folder: Path, name: str = "simple", **more) -> None:
    write_set(folder, name, lambda: iter([{"media": b"x", "captions": ["a"]}]), ["captions"], TRAIN, **more)


def test_rows_come_back_as_they_were_in_their_order(tmp_path):
    rows = captioned(7)
    assert str(write(tmp_path, rows)) == str(tmp_path / "some-Set_1")
    data = open_set(tmp_path, "some-Set_1")
    expected = [row | {"media_sha256": hashlib.sha256(row["media"]).hexdigest()} for row in rows]
    assert len(data) == 7
    assert list(data.rows()) == expected
    assert list(data.rows([5, 0, 5])) == [expected[5], expected[0], expected[5]]
    assert data[-1] == data[np.int64(6)] == expected[6]
    assert {type(value) for value in data[3].values()} == {int, bytes, str, list}
    with pytest.raises(IndexError):
        data[7]
    assert data.fields == ("captions", "negated_captions", "question")
    assert data.metadata["altered"] == ""
    assert data.metadata["task_kind"] == "train"


def test_defaults(tmp_path):
    write_set(
        tmp_path,
        "labels",
        lambda: iter([{"media": b"x", "label": 1}, {"media": b"y", "label": 0}]),
        ["label"],
        {"task_kind": "zeroshot", "negated": False, "classnames": ["a", "b"], "templates": ["{}"]},
    )
    data = open_set(tmp_path, "labels")
    assert [row["id"] for row in data.rows()] == [0, 1]
    assert [row["group"] for row in data.rows()] == [0, 0]
    assert [row["label"] for row in data.rows()] == [1, 0]
    assert data.metadata["classnames"] == ["a", "b"]
    simple(tmp_path)
    data = open_set(tmp_path, "simple")
    assert data[0]["positive_objects"] == []
    assert data.metadata["media_type"] == "image"
    question = {"media": b"x", "options": ["a", "b"], "answer": 1}
    write_set(tmp_path, "q", lambda: iter([question]), ["question"], {"task_kind": "binary_mcq", "negated": False})
    assert (open_set(tmp_path, "q")[0]["kind"], open_set(tmp_path, "q")[0]["option_kinds"]) == ("", [])


def test_plain_tfds_reads_a_set(tmp_path):
    write(tmp_path, captioned(3))
    source = tfds.builder_from_directory(tmp_path / "some-Set_1" / "1.0.0").as_data_source(split="all")
    assert source[2]["media"].tolist() == [[[2, 0, 0]] * 20] * 20
    assert source[2]["captions"] == ["an été with 2 cats".encode()]


@pytest.mark.parametrize("media_type", ["image", "video"])
def test_records_have_the_bytes_of_tfds_own_serializer(media_type):
    fields = ("captions", "negated_captions", "question")
    features = SetSpec("some", fields, {"media_type": media_type}).features
    for record in (row | {"media_sha256": "0f" * 32} for row in captioned(5)):
        wanted = tf_example_pb2.Example.FromString(features.serialize_example(record))
        assert serialize(record) == wanted.SerializeToString(deterministic=True)


def test_clips_are_kept_byte_for_byte_and_plain_tfds_reads_them(tmp_path):
    clips = [b"\x00\xffclip\x00", b"\x00\x00"]
    rows = [{"media": clip, "captions": ["a"]} for clip in clips]
    write_set(tmp_path, "clips", lambda: iter(rows), ["captions"], TRAIN | {"media_type": "video"})
    data = open_set(tmp_path, "clips")
    assert [row["media"] for row in data.rows()] == clips
    assert data[0]["media_sha256"] == hashlib.sha256(clips[0]).hexdigest()
    source = tfds.builder_from_directory(tmp_path / "clips" / "1.0.0").as_data_source(split="all")
    assert [source[i]["media"] for i in range(2)] == clips


def test_an_image_of_pairs_may_have_no_caption(tmp_path):
    rows = [{"media": b"x", "captions": ["a"]}, {"media": b"y", "captions": []}]
    write_set(tmp_path, "boxes", lambda: iter(rows), ["captions"], {"task_kind": "pairs", "negated": True})
    data = open_set(tmp_path, "boxes")
    assert [row["captions"] for row in data.rows()] == [["a"], []]
    assert data.lengths("captions").longest_R.tolist() == [3, 0]


def test_grain_pickle_and_threads(tmp_path):
    write(tmp_path, captioned(20))
    data = open_set(tmp_path, "some-Set_1")
    copy = pickle.loads(pickle.dumps(data))
    assert [row["id"] for row in grain.MapDataset.source(data)[::5]] == [0, 50, 100, 150]
    assert [row["id"] for row in grain.MapDataset.source(data.source())[:2]] == [0, 10]
    order = [int(i) for i in np.random.default_rng(0).permutation(20)] * 5
    with ThreadPoolExecutor(4) as threads:
        assert [row["id"] // 10 for row in threads.map(copy.__getitem__, order)] == order


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_and_fingerprint_in_any_process(tmp_path):
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        code = "import sys; sys.path += sys.argv[2:]; from test_store import *; write(sys.argv[1], captioned(5))"
        subprocess.run(
            [sys.executable, "-c", code, folder, Path(__file__).parent, Path(__file__).parents[2]], check=True
        )
        contents.append({p.name: p.read_bytes() for p in (folder / "some-Set_1" / "1.0.0").iterdir()})
    assert contents[0] == contents[1]
    fingerprint = open_set(tmp_path / "a", "some-Set_1").fingerprint
    assert fingerprint == open_set(tmp_path / "b", "some-Set_1").fingerprint
    changed = captioned(5)
    changed[3]["media"] = png(99)
    write(tmp_path, changed)
    assert open_set(tmp_path, "some-Set_1").fingerprint != fingerprint


def test_every_row_is_reported(tmp_path):
    seen = []
    write(tmp_path, captioned(5), on_row=lambda: seen.append(1))
    assert len(seen) == 5


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    row = {"media": png(1), "captions": ["x"]}
    write_set(tmp_path / "sets", "a", lambda: iter([row]), ["captions"], {"task_kind": "train", "negated": False})
    assert len(open_set("~/sets", "a")) == 1


def test_a_taken_name_is_only_overwritten_when_asked_and_by_a_whole_set(tmp_path):
    write(tmp_path, captioned(5))
    with pytest.raises(NegjaxError, match="exists already: choose another name, or --overwrite it"):
        write(tmp_path, captioned(2))
    with pytest.raises(NegjaxError, match="there are no rows"):
        write(tmp_path, [], overwrite=True)
    assert len(open_set(tmp_path, "some-Set_1")) == 5
    write(tmp_path, captioned(2), overwrite=True)
    assert len(open_set(tmp_path, "some-Set_1")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["some-Set_1"]


def test_a_folder_that_is_no_set_is_never_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "precious.jpg").touch()
    with pytest.raises(NegjaxError, match="photos exists and is not a set"):
        simple(tmp_path, "photos", overwrite=True)
    assert (tmp_path / "photos" / "precious.jpg").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"captions": []}, "row 10: captions is empty"),
        ({"captions": "text"}, "row 10: captions is not a list of texts"),
        ({"captions": ["\ud800"]}, "row 10: captions is not valid Unicode"),
        ({"answer": 3}, "row 10: answer 3 is not one of the options 0 to 2"),
        ({"options": ["a"], "answer": 0}, "row 10: 1 option where a question needs two or more"),
        ({"media": b""}, "row 10: media is not the bytes of an image or clip"),
        ({"option_kinds": ["positive"]}, "row 10: 1 option_kinds for 3 options"),
        ({"option_kinds": [1, 2, 3]}, "row 10: option_kinds is not a list of texts"),
        ({"id": 0}, "row 0: its id does not come after 0"),
        ({"label": 1}, "row 10: label: a set of captions, negated_captions, question has no such column"),
    ],
)
def test_a_bad_row_is_named_and_nothing_stays(tmp_path, change, expected):
    rows = captioned(3)
    rows[1] |= change
    with pytest.raises(NegjaxError, match=expected):
        write(tmp_path, rows)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NegjaxError, match=r"cannot write set simple in .*/file: "):
        simple(tmp_path / "file")


def test_nothing_stays_when_the_source_fails(tmp_path):
    def examples() -> Iterator[dict]:
        yield from captioned(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, "cut", examples, ["captions", "negated_captions", "question"], TRAIN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "-a", "a b", "é", "a" * 101, "a.incomplete-1"])
def test_bad_names(tmp_path, name):
    with pytest.raises(NegjaxError, match="cannot name a set"):
        simple(tmp_path, name)


@pytest.mark.parametrize(
    ("metadata", "fields", "expected"),
    [
        ({"negated": True}, ["captions"], "unknown task_kind None; choose one of mcq, "),
        ({"task_kind": "train"}, ["captions"], "whether it is negated, as True or False"),
        (TRAIN, ["pixels"], "unknown field 'pixels'"),
        (TRAIN, [], "task_kind train needs the field"),
        (TRAIN | {"media_type": "sound"}, ["captions"], "unknown media_type 'sound'; choose one of image, video"),
        ({"task_kind": "pairs", "negated": True}, ["label"], "task_kind pairs needs the field question or captions"),
        ({"task_kind": "mcq", "negated": True}, ["captions"], "task_kind mcq needs the field question"),
        ({"task_kind": "zeroshot", "negated": False}, ["label"], "need classnames and templates"),
    ],
)
def test_bad_metadata(tmp_path, metadata, fields, expected):
    with pytest.raises(NegjaxError, match=expected):
        write_set(tmp_path, "a", lambda: iter([]), fields, metadata)


def test_list_and_absent_sets(tmp_path):
    with pytest.raises(NegjaxError, match=r"folder .* not found"):
        list_sets(tmp_path / "absent")
    with pytest.raises(NegjaxError, match=r"set b not found in .*; choose one of \(none\)"):
        open_set(tmp_path / "absent", "b")
    write(tmp_path, captioned(2), "b")
    simple(tmp_path, "a")
    (tmp_path / "c.incomplete-12345678" / "1.0.0").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    listed = list_sets(tmp_path)
    assert [(line.name, line.rows, line.task_kind, line.negated) for line in listed] == [
        ("a", 1, "train", True),
        ("b", 2, "train", True),
    ]
    assert all(line.bytes > 1000 for line in listed)
    for name in ("c", "../b"):
        with pytest.raises(NegjaxError, match=r"set .* not found .*; choose one of a, b"):
            open_set(tmp_path, name)


@pytest.mark.parametrize("harm", ["cut", "absent", "info", "features", "metadata", "whole folder"])
def test_a_set_that_is_not_whole_does_not_open(tmp_path, harm):
    write(tmp_path, captioned(5), "hurt")
    folder = tmp_path / "hurt" / "1.0.0"
    records = next(folder.glob("*array_record*"))
    if harm == "cut":
        records.write_bytes(records.read_bytes()[:-1000])
    elif harm == "absent":
        records.unlink()
    elif harm == "whole folder":
        for path in folder.iterdir():
            path.unlink()
    else:
        path = folder / {"info": "dataset_info.json"}.get(harm, f"{harm}.json")
        path.write_text(path.read_text()[:20])
    with pytest.raises(NegjaxError, match=r"set hurt in .* is damaged \(.*\): build it again") as caught:
        open_set(tmp_path, "hurt")
    assert "\n" not in str(caught.value)


def test_damage_inside_is_found_when_it_is_read(tmp_path):
    write(tmp_path, captioned(5), "hurt")
    folder = tmp_path / "hurt" / "1.0.0"
    records = next(folder.glob("*array_record*"))
    content = bytearray(records.read_bytes())
    content[100:400] = bytes(300)
    records.write_bytes(content)
    (folder / "lengths.npz").write_bytes(b"PK")
    data = open_set(tmp_path, "hurt")
    with pytest.raises(NegjaxError, match="is damaged"):
        list(data.rows())
    with pytest.raises(NegjaxError, match=r"is damaged \(lengths.npz"):
        data.lengths("captions")


def test_writing_and_reading_print_nothing_and_import_no_other_framework(tmp_path):
    code = """
import sys
from negjax.datasets.stored.store import list_sets, open_set, write_set
rows = lambda: iter([{"media": b"x", "captions": ["a"]}])
write_set(sys.argv[1], "a", rows, ["captions"], {"task_kind": "train", "negated": False})
assert open_set(sys.argv[1], "a")[0]["captions"] == ["a"] and list_sets(sys.argv[1])
assert not {"tensorflow", "torch"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metadata_is_json(tmp_path):
    simple(tmp_path)
    stored = json.loads((tmp_path / "simple" / "1.0.0" / "metadata.json").read_text())
    assert stored == open_set(tmp_path, "simple").metadata
    assert stored["fields"] == ["captions"]
    assert len(stored["content"]) == 64


def test_two_builds_of_one_name_at_once(tmp_path):
    """The second one is refused while the first goes on, whose set is whole."""

    def examples() -> Iterator[dict]:
        yield from captioned(3)
        with pytest.raises(NegjaxError, match=r"some-Set_1\.building is in use: another build of this set is running"):
            write(tmp_path, captioned(2), overwrite=True)

    write_set(tmp_path, "some-Set_1", examples, ["captions", "negated_captions", "question"], TRAIN)
    assert len(open_set(tmp_path, "some-Set_1")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["some-Set_1"]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path):
    code = (
        "import os, sys; sys.path += sys.argv[2:]\n"
        "from test_store import *\n"
        "def rows():\n"
        "    yield from captioned(2)\n"
        "    os.kill(os.getpid(), 9)\n"
        "write_set(sys.argv[1], 'a', rows, ['captions', 'negated_captions', 'question'], TRAIN)"
    )
    paths = [Path(__file__).parent, Path(__file__).parents[1], Path(__file__).parents[2]]
    ended = subprocess.run([sys.executable, "-c", code, tmp_path, *paths])
    assert ended.returncode == -9
    assert list(tmp_path.rglob("*array_record*"))
    assert list_sets(tmp_path) == []
    write(tmp_path, captioned(2), "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_killed_builds_of_earlier_versions_left_is_removed(tmp_path):
    """They had names of their own and no lock: one that changed within the last day may be in use."""
    old, new = (tmp_path / f"s.incomplete-{token}" for token in ("0123abcd", "4567abcd"))
    mine = tmp_path / "s.incomplete-mine"
    for folder in (old, new, mine):
        folder.mkdir()
        (folder / "shard").write_bytes(b"half")
    for path in (old / "shard", old, new, mine / "shard", mine):
        os.utime(path, (0, 0))
    simple(tmp_path, "s")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", new.name, mine.name]


def test_an_unfinished_training_set_is_not_built_over(tmp_path):
    (tmp_path / "a.building").mkdir()
    (tmp_path / "a.building" / "plan.json").write_text("{}")
    with pytest.raises(
        NegjaxError, match=r"a\.building holds an unfinished build of a training set: resume it, delete"
    ):
        write(tmp_path, captioned(2), "a")
    assert (tmp_path / "a.building" / "plan.json").exists()
