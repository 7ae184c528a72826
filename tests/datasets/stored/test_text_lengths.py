"""The tokens of a set's texts, known without reading its rows."""

import numpy as np
import pytest

from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.stored.text_lengths import read_lengths, write_lengths
from negjax.errors import NegjaxError
from negjax.tokenizers.clip import Tokenizer

ROWS = [
    {
        "media": b"x",
        "captions": [f"an été with {i} cats", ""][: 1 + i % 2],
        "negated_captions": ["no dog", "not a single dog is to be seen here"],
        "options": ["a", "no a", "b"],
        "answer": i % 3,
    }
    for i in range(4)
]


@pytest.fixture
def data(tmp_path) -> StoredSet:
    fields = ["captions", "negated_captions", "question"]
    write_set(tmp_path, "texts", lambda: iter(ROWS), fields, {"task_kind": "train", "negated": True})
    return open_set(tmp_path, "texts")


def test_lengths_are_token_counts(data):
    tokenizer = Tokenizer()
    for name in ("captions", "negated_captions", "options"):
        expected = [[len(tokenizer.encode(text)) for text in row[name]] for row in ROWS]
        lengths = data.lengths(name)
        assert lengths.longest_R.tolist() == [max(each) for each in expected]
        for row, each in enumerate(expected):
            assert lengths.numbered(np.full(len(each), row), np.arange(len(each))).tolist() == each
        draws = np.array([0.0, 0.49, 0.5, 0.999])
        drawn = [each[int(draw * len(each))] for each, draw in zip(expected, draws)]
        assert lengths.drawn(np.arange(4), draws).tolist() == drawn
    assert data.answers.tolist() == [0, 1, 2, 0]
    with pytest.raises(NegjaxError, match="no texts called label; it has: captions, negated_captions, options"):
        data.lengths("label")


@pytest.mark.parametrize("lacking", ["captions.tokens", "captions.texts"])
def test_lengths_that_lack_a_part_are_damaged(data, lacking):
    file = data.path / "lengths.npz"
    arrays = read_lengths(file)
    (data.path / "checksums.json").unlink()
    write_lengths(file, {name: array for name, array in arrays.items() if name != lacking})
    with pytest.raises(NegjaxError, match=r"is damaged \(lengths.npz: it lacks a part"):
        open_set(data.path.parents[1], "texts").lengths("captions")
    write_lengths(file, arrays | {lacking: arrays[lacking][:-1]})
    with pytest.raises(NegjaxError, match=r"is damaged \(lengths.npz: its parts are of different sets"):
        open_set(data.path.parents[1], "texts").lengths("captions")
