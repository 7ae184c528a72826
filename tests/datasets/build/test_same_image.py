"""Rows of one image become one image with several captions; the figures are compared with brute-force NumPy."""

import csv
from pathlib import Path

import numpy as np
import pytest
from support.images import noise_png
from support.models import tiny_model
from support.trees import unit

from negjax.datasets.build.evaluation_set import build_from_csv
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.evaluation.evaluate import evaluate
from negjax.media.decoding import decode
from negjax.media.images import to_pixels

PLACES = [0, 1, 2, 1, 3, 0, 2, 2, 1, 3, 0, 4]  # which image each row is of: in no order
CAPTIONS = [f"a {word} that is not {i % 3} times here" for i, word in enumerate("abcdefghijkl")]


@pytest.fixture
def media(tmp_path) -> Path:
    folder = tmp_path / "media" / "val"
    folder.mkdir(parents=True)
    for i in range(5):
        (folder / f"{i}.png").write_bytes(noise_png(i, (64, 64)))
    return tmp_path / "media"


def build(
    tmp_path: Path, media: Path, rows: list[list[str]], header: tuple[str, ...] = ("filepath", "captions"), **more
):
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return build_from_csv("captions", path, media, "rows", tmp_path, progress=False, **more)


def test_recall_of_one_row_per_caption_is_that_of_one_image_with_all(tmp_path, media):
    rows = [[f"/x/val/{place}.png", str([text])] for place, text in zip(PLACES, CAPTIONS)]
    built = build(tmp_path, media, rows)
    assert (built.rows, built.written) == (12, 5)
    assert "12 rows name 5 images: each is one record with the captions of all its rows" in built.notes
    data = open_set(tmp_path, "rows")
    assert [row["id"] for row in data.rows()] == [0, 1, 2, 4, 11]
    assert [row["captions"] for row in data.rows()] == [
        [text for place, text in zip(PLACES, CAPTIONS) if place == image] for image in range(5)
    ]

    model = tiny_model()
    results = evaluate(model, [data], bootstrap=0, progress=False)
    pixels = np.stack(
        [to_pixels(decode((media / "val" / f"{i}.png").read_bytes(), ""), model.preprocess) for i in range(5)]
    )
    image_NE, text_CE = unit(model.encode_image(pixels)), unit(model.encode_text(model.tokenizer(CAPTIONS)))
    cosine_CN, place_C = text_CE @ image_NE.T, np.array(PLACES)
    own_C = cosine_CN[np.arange(12), place_C]
    rank_C = (cosine_CN > own_C[:, None]).sum(axis=1)
    rank_N = [(cosine_CN[place_C != n, n] > cosine_CN[place_C == n, n].max()).sum() for n in range(5)]
    metrics = results.results["tasks"]["rows"]["metrics"]
    for k in (1, 5, 10):
        assert metrics[f"image_retrieval_recall@{k}"] == pytest.approx(np.mean(rank_C < k), abs=1e-9)
        assert metrics[f"text_retrieval_recall@{k}"] == pytest.approx(np.mean(np.array(rank_N) < k), abs=1e-9)
    predictions = results.predictions["rows"]
    in_list_order = np.argsort(place_C, kind="stable")
    np.testing.assert_array_equal(predictions["rank"], rank_C[in_list_order] + 1)
    np.testing.assert_array_equal(predictions["image_id"], np.array([0, 1, 2, 4, 11])[place_C[in_list_order]])


def test_a_path_may_be_spelt_in_several_ways(tmp_path, media):
    spellings = ["val/1.png", "./val//1.png", "val\\1.png", "/val/1.png"]
    built = build(tmp_path, media, [[path, str([path])] for path in spellings])
    assert built.written == 1
    assert open_set(tmp_path, "rows")[0]["captions"] == spellings


def test_equal_pictures_of_two_paths_stay_two(tmp_path, media):
    (media / "val" / "copy.png").write_bytes((media / "val" / "1.png").read_bytes())
    assert build(tmp_path, media, [["val/1.png", "['x']"], ["val/copy.png", "['y']"]]).written == 2


def test_rows_of_a_missing_image_are_all_skipped(tmp_path, media):
    rows = [[f"val/{name}.png", f"['{i}']"] for i, name in enumerate(["lost", "1", "lost", "1", "2"])]
    built = build(tmp_path, media, rows, skip_missing=True)
    assert (built.rows, built.written, built.skipped["missing"]) == (5, 2, 2)
    assert "3 rows name 2 images: each is one record with the captions of all its rows" in built.notes


def test_labels_of_all_rows_are_joined_unless_they_disagree(tmp_path, media):
    header = ("filepath", "captions", "positive_objects", "negative_objects")
    rows = [
        ["val/1.png", "['x']", "['cat', 'mat']", "['']"],
        ["val/2.png", "['x']", "['']", "['']"],
        ["val/1.png", "['y']", "['cat', 'dog']", "['boat']"],
    ]
    build(tmp_path, media, rows, header)
    first = open_set(tmp_path, "rows")[0]
    assert (first["positive_objects"], first["negative_objects"]) == (["cat", "mat", "dog"], ["boat"])
    rows[2][3] = "['mat']"
    with pytest.raises(NegjaxError, match=r"val/1.png has the rows 0, 2, and 'mat' is among its positive_objects and"):
        build(tmp_path, media, rows, header, overwrite=True)
