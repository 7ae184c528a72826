"""Decoded images are kept for sets that fit as a whole, and for no other."""

from itertools import islice

import numpy as np
import pytest

from negjax.config import Source
from negjax.datasets.records import Record
from negjax.datasets.stored.stored_set import StoredSet
from negjax.input import cache
from negjax.input.cache import SAMPLE, DecodedImages
from negjax.input.pipeline import batches
from negjax.media.images import Preprocess
from negjax.tokenizers.clip import Tokenizer

SIZE = 16
ONE = SIZE * SIZE * 3


def entry(size: int) -> tuple[np.ndarray, dict]:
    return np.zeros((1, size, 1), np.uint8), {}


@pytest.mark.parametrize(("room", "kept"), [(240 * ONE, True), (240 * ONE - 1, False)])
def test_a_set_is_decoded_once_or_each_time(scenes, monkeypatch, room, kept):
    """240 pictures, two epochs of which are read; the bound lies at their size as the model takes them."""
    decoded = []

    class Watched(StoredSet):
        def __getitem__(self, index: int) -> Record:
            decoded.append(index)
            return super().__getitem__(index)

    monkeypatch.setattr(cache, "CACHE_BYTES", room)
    stream = batches(
        Watched(scenes, "scenes_negcap"),
        Source("scenes_negcap", 48, contrastive=1.0),
        preprocess=Preprocess(size=SIZE),
        tokenizer=Tokenizer(),
        context_length=77,
        with_lengths=True,
        seed=0,
        first_step=0,
        rows=range(48),
        threads=1,
        ahead=1,
    )
    list(islice(stream, 10))
    again = len(decoded) - len(set(decoded))
    assert len(set(decoded)) == 240
    assert (again == 0) == kept
    assert kept or again >= 240 - 48


def test_of_images_of_any_size_the_first_tell(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_BYTES", 1000 * 100)
    fitting, large = DecodedImages(1000), DecodedImages(1000)
    for row in range(SAMPLE):
        fitting.add(row, entry(100))
        large.add(row, entry(101))
    assert fitting.get(0) is not None
    assert large.get(0) is None
    large.add(SAMPLE, entry(1))
    assert large.get(SAMPLE) is None


def test_one_large_image_at_the_start_does_not_decide(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_BYTES", 1000 * 100)
    images = DecodedImages(1000)
    images.add(0, entry(3000))
    for row in range(1, SAMPLE + 1):
        images.add(row, entry(50))
    assert images.get(0) is not None


def test_it_never_holds_more_than_its_bound(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_BYTES", 500)
    images = DecodedImages(20)
    images.add(0, entry(400))
    images.add(1, entry(400))
    assert images.get(0) is None
    assert images.get(1) is None
