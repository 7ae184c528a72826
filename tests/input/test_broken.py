"""Broken images among good ones: replaced, counted once each, and an error when there are too many."""

import logging
from itertools import islice

import pytest
from support.images import noise_png

from negjax.config import Source
from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.input import cache
from negjax.input.broken import BrokenRows
from negjax.input.loader import Batch
from negjax.input.pipeline import batches
from negjax.media.images import Preprocess
from negjax.tokenizers.clip import Tokenizer

ROWS = 40
CUT = {3, 4, 11, 30}


@pytest.fixture
def data(tmp_path) -> StoredSet:
    """Forty pictures of noise, some of which are cut in the middle."""
    pictures = [noise_png(i, (24, 24))[: 800 if i in CUT else None] for i in range(ROWS)]
    rows = [{"media": picture, "captions": [f"number {i}"]} for i, picture in enumerate(pictures)]
    metadata = {"task_kind": "train", "negated": False}
    write_set(tmp_path, "some_cut", lambda: iter(rows), ["captions"], metadata)
    return open_set(tmp_path, "some_cut")


def read(data: StoredSet, count: int, broken: BrokenRows) -> list[Batch]:
    stream = batches(
        data,
        Source("some_cut", 8, contrastive=1.0),
        preprocess=Preprocess(size=16),
        tokenizer=Tokenizer(),
        context_length=77,
        with_lengths=True,
        seed=0,
        first_step=0,
        rows=range(8),
        threads=4,
        broken=broken,
    )
    return list(islice(stream, count))


@pytest.mark.parametrize("kept", [True, False])
def test_each_broken_row_is_counted_and_told_once(data, monkeypatch, caplog, kept):
    """Over three epochs, whether images are kept or decoded anew."""
    monkeypatch.setattr(cache, "CACHE_BYTES", 1 << 30 if kept else 0)
    broken = BrokenRows(len(CUT))
    with caplog.at_level(logging.WARNING):
        read(data, 15, broken)
    assert len(broken) == len(CUT)
    told = [record.getMessage() for record in caplog.records]
    assert sorted(line.split(":")[0] for line in told) == sorted(f"some_cut row {row}" for row in CUT)


def test_more_than_are_allowed_stop_the_run_with_the_set_and_the_remedy(data):
    with pytest.raises(NegjaxError) as caught:
        read(data, 5, BrokenRows(len(CUT) - 1))
    message = str(caught.value)
    assert message.startswith(
        "set some_cut: 4 of its 40 rows have images that cannot be decoded, the latest is some_cut row"
    )
    assert message.endswith("build the set again, or allow more (config.most_broken is 3)")
    assert "\n" not in message


def test_none_allowed(data):
    with pytest.raises(NegjaxError, match=r"[1-4] of its 40 rows"):  # threads may meet several at once
        read(data, 5, BrokenRows(0))
