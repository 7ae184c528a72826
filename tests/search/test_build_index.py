"""An index has each file's own embedding, follows changes of the folder, and survives a kill to the byte."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.clips import clip
from support.embedded import count_embedded
from support.folders import draw, fill
from support.models import tiny_model
from support.trees import unit

import negjax
from negjax.errors import NegjaxError
from negjax.search import build
from negjax.search.index_folder import open_index


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def vectors_of(index) -> dict[str, np.ndarray]:
    return dict(zip(index.files["path"].to_pylist(), np.array(index.vector_NE)))


def test_any_program_reads_the_vectors_of_the_files(tmp_path, weights, make_index):
    folder = fill(tmp_path / "photos", 40)  # more than a chunk
    index = make_index(folder, tmp_path / "index").index
    info = json.loads((tmp_path / "index" / "index.json").read_text())
    table = pq.read_table(tmp_path / "index" / info["data"] / "files.parquet").to_pylist()
    vector_NE = np.load(tmp_path / "index" / info["data"] / "vectors.npy")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert [row["path"] for row in table] == names
    assert [row["sha256"] for row in table] == [hashlib.sha256((folder / name).read_bytes()).digest() for name in names]
    assert [row["size"] for row in table] == [(folder / name).stat().st_size for name in names]
    model, preprocess, _ = negjax.load(str(weights))
    expected = unit(np.asarray(model.encode_image(preprocess([folder / name for name in names])), np.float64))
    np.testing.assert_allclose(vector_NE, expected, atol=1e-6)
    assert vector_NE.dtype == np.float32
    assert index.broken == []


def test_float16(tmp_path, make_index):
    folder = fill(tmp_path / "photos")
    half = make_index(folder, tmp_path / "half", vectors="float16").index
    whole = make_index(folder, tmp_path / "whole").index
    assert half.vector_NE.dtype == np.float16
    np.testing.assert_allclose(half.vector_NE, whole.vector_NE, atol=1e-3)


def test_only_what_is_new_is_embedded(tmp_path, make_index, monkeypatch):
    folder, out = fill(tmp_path / "photos"), tmp_path / "index"
    before = vectors_of(make_index(folder, out).index)
    data = content(out)
    counts = count_embedded(monkeypatch)
    changes = make_index(folder, out)
    assert (changes.added, changes.moved, changes.removed, changes.unchanged) == (0, 0, 0, 12)
    assert content(out) == data

    (folder / "a/00.png").rename(folder / "moved.png")
    (folder / "copy.png").write_bytes((folder / "b/01.png").read_bytes())
    (folder / "a/02.png").unlink()
    draw(folder / "b/03.png", 103)  # changed
    draw(folder / "new.png", 104)
    (folder / "new copy.png").write_bytes((folder / "new.png").read_bytes())
    changes = make_index(folder, out)
    assert (changes.added, changes.moved, changes.removed, changes.unchanged) == (3, 2, 2, 9)
    assert counts == [2]  # the changed and the new one
    after = vectors_of(changes.index)
    assert np.array_equal(after["moved.png"], before["a/00.png"])
    assert np.array_equal(after["copy.png"], before["b/01.png"])
    assert np.array_equal(after["new.png"], after["new copy.png"])
    assert not np.allclose(after["b/03.png"], before["b/03.png"], atol=1e-3)
    fresh = vectors_of(make_index(folder, tmp_path / "fresh").index)
    assert fresh.keys() == after.keys()
    for name, vector in fresh.items():
        np.testing.assert_allclose(after[name], vector, atol=1e-6)


def test_what_cannot_be_decoded_is_listed(tmp_path, make_index, monkeypatch):
    folder, out = fill(tmp_path / "photos"), tmp_path / "index"
    (folder / "torn.png").write_bytes((folder / "a/00.png").read_bytes()[:200])
    (folder / "text.jpg").write_text("<script>alert(1)</script>")
    (folder / "notes.txt").write_text("no image")
    index = make_index(folder, out).index
    assert index.info.files == 12
    assert [file.path for file in index.broken] == ["text.jpg", "torn.png"]
    assert "unknown image format" in index.broken[0].error
    counts = count_embedded(monkeypatch)
    assert [file.path for file in make_index(folder, out).index.broken] == ["text.jpg", "torn.png"]
    assert counts == []
    draw(folder / "torn.png", 50)
    assert make_index(folder, out).index.info.files == 13
    assert make_index(folder, out, retry_broken=True).index.info.broken == 1
    assert counts == [1, 1]


def test_links_and_hidden_files_are_left_out(tmp_path, make_index):
    folder = fill(tmp_path / "photos")
    outside = tmp_path / "outside"
    draw(outside / "secret.png", 60)
    (folder / "link.png").symlink_to(outside / "secret.png")
    (folder / "folder").symlink_to(outside)
    draw(folder / ".hidden.png", 61)
    draw(folder / ".thumbnails/1.png", 62)
    os.mkfifo(folder / "pipe.png")
    (Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))).write_bytes(b"x")
    changes = make_index(folder, tmp_path / "index")
    assert changes.index.info.files == 12
    assert changes.index.broken == []
    assert (changes.found.links, changes.found.unnamed) == (2, 1)


def test_clips(tmp_path, model, make_index):
    folder = fill(tmp_path / "photos", 2)
    (folder / "clip.MP4").write_bytes(clip(8))
    (folder / "torn.mp4").write_bytes(b"no clip")
    index = make_index(folder, tmp_path / "index").index
    assert index.files["path"].to_pylist() == ["a/00.png", "b/01.png", "clip.MP4"]
    assert [file.path for file in index.broken] == ["torn.mp4"]
    np.testing.assert_allclose(np.linalg.norm(index.vector_NE, axis=1), 1, atol=1e-6)


def test_a_stopped_run_is_resumed_to_the_same_bytes(tmp_path, make_index, monkeypatch):
    folder = fill(tmp_path / "photos", 100)
    (folder / "a/00.png").write_bytes(b"broken")
    (folder / "b/99.png").write_bytes((folder / "a/02.png").read_bytes())  # known from the first chunk
    make_index(folder, tmp_path / "whole")
    embed, done = build.embed_files, []

    def stop_at_third(*arguments):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return embed(*arguments)

    monkeypatch.setattr(build, "embed_files", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        make_index(folder, tmp_path / "resumed")
    with pytest.raises(NegjaxError, match="is no index"):
        open_index(tmp_path / "resumed")
    make_index(folder, tmp_path / "resumed")
    assert len(done) == 3 + 2  # of four chunks the first two were kept
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")


def test_another_model_is_refused(tmp_path, make_index, weights):
    folder = fill(tmp_path / "photos", 2)
    make_index(folder, tmp_path / "index")
    with pytest.raises(NegjaxError, match=r"another model or other settings \(sha256 differ"):
        build.build_index(folder, tiny_model(1), {}, tmp_path / "index", progress=False)


def test_damage_is_one_line(tmp_path, make_index):
    out = tmp_path / "index"
    index = make_index(fill(tmp_path / "photos"), out).index
    vectors = out / index.info.data / "vectors.npy"
    whole = vectors.read_bytes()
    for damaged in (whole[:-40], whole[:30], b"", b"PK\x03\x04"):
        vectors.write_bytes(damaged)
        with pytest.raises(NegjaxError, match="is damaged"):
            open_index(out)
    vectors.write_bytes(whole)
    for text in ("{}", "[]", "not JSON", (out / "index.json").read_text().replace("data-", "../data-")):
        (out / "index.json").write_text(text)
        with pytest.raises(NegjaxError, match="is damaged"):
            open_index(out)


def test_an_empty_folder(tmp_path, make_index):
    (tmp_path / "photos").mkdir()
    assert make_index(tmp_path / "photos", tmp_path / "index").index.vector_NE.shape[0] == 0
    with pytest.raises(NegjaxError, match=r"folder .* not found"):
        make_index(tmp_path / "missing", tmp_path / "index")
