"""Hard negatives of the pipeline: wrong options of each image's question, on any shard, after any restart."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
from support.images import png

from negjax.config import Source
from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.input.checks import check_trainable
from negjax.input.loader import Batch
from negjax.input.pipeline import batches
from negjax.media.images import Preprocess
from negjax.tokenizers.clip import END, Tokenizer

OPTIONS = 4
ROWS = 16
TRAIN = {"task_kind": "train", "negated": True}


def option(row: int, number: int) -> str:
    return f"picture {row} option {number}" + " very" * (row == 3 and number == 1)


@pytest.fixture
def questions(tmp_path):
    """questions(*fields): 16 pictures whose red tells the row; option row % 4 is the right one."""

    def make(*fields: str, metadata: dict | None = None) -> StoredSet:
        rows = [
            {
                "media": png(10 * i),
                "options": [option(i, o) for o in range(OPTIONS)],
                "answer": i % OPTIONS,
                **({"captions": [f"caption {i} {c}" for c in range(3)]} if "captions" in fields else {}),
            }
            for i in range(ROWS)
        ]
        write_set(tmp_path, "asked", lambda: iter(rows), fields, TRAIN | (metadata or {}))
        return open_set(tmp_path, "asked")

    return make


def read(data: StoredSet, source: Source, count: int, first: int = 0, rows: Sequence[int] | None = None) -> list[Batch]:
    stream = batches(
        data,
        source,
        preprocess=Preprocess(size=16),
        tokenizer=Tokenizer(),
        context_length=77,
        with_lengths=True,
        seed=5,
        first_step=first,
        rows=rows or range(source.batch_size),
    )
    return list(islice(stream, count))


def source_of(hard_negatives: int, **more) -> Source:
    return Source("asked", ROWS, contrastive=1.0, hard_negatives=hard_negatives, **more)


def texts(ids: np.ndarray) -> tuple[int, ...]:
    return tuple(ids[: int(ids.argmax()) + 1].tolist())


def encoded(text: str) -> tuple[int, ...]:
    return tuple(Tokenizer().encode(text))


def negatives(batch: Batch, each: int) -> list[tuple[int, list[int]]]:
    """For each image its row, and the numbers of the options that came with it."""
    found = []
    for i, row in enumerate((batch["image"][:, 0, 0, 0] // 10).tolist()):
        known = {encoded(option(row, o)): o for o in range(OPTIONS)}
        found.append((row, [known[texts(ids)] for ids in batch["negative_text"][each * i : each * (i + 1)]]))
    return found


@pytest.mark.parametrize("each", [1, 2, 3])
def test_wrong_options_of_the_same_image_each_at_most_once(questions, each):
    data, met = questions("captions", "question"), Counter()
    for batch in read(data, source_of(each), 60):
        assert batch["negative_text"].shape == (each * ROWS, batch["text"].shape[1])
        assert batch["negative_text"].dtype == np.int32
        for row, numbers in negatives(batch, each):
            assert row % OPTIONS not in numbers
            assert len(set(numbers)) == each
            met.update((row, place, number) for place, number in enumerate(numbers))
    assert len(met) == ROWS * each * 3  # in each place every wrong one
    assert min(met.values()) > 5  # of 20 expected


def test_where_there_are_fewer_the_drawing_starts_again(questions):
    for batch in read(questions("captions", "question"), source_of(5), 4):
        for row, numbers in negatives(batch, 5):
            assert sorted(numbers[:3]) == [o for o in range(OPTIONS) if o != row % OPTIONS]
            assert len(set(numbers[3:])) == 2


def test_they_depend_on_seed_and_step_alone_and_shards_make_up_the_whole(questions):
    data, source = questions("captions", "question"), source_of(2, flip=True, crop_scale=0.6)
    whole = read(data, source, 6)
    for first, batch in zip(range(3, 6), read(data, source, 3, first=3)):
        np.testing.assert_array_equal(batch["negative_text"], whole[first]["negative_text"])
    parts = [read(data, source, 2, 4, range(i, i + 4)) for i in range(0, ROWS, 4)]
    for step in range(2):
        for name in whole[0]:
            each = [part[step][name] for part in parts]
            joined = each[0] if name.endswith("_lengths") else np.concatenate(each)
            np.testing.assert_array_equal(joined, whole[4 + step][name])


def test_they_change_no_other_draw(questions):
    data = questions("captions", "question")
    more = {"flip": True, "crop_scale": 0.6, "mcq": 1.0}
    for plain, hard in zip(read(data, source_of(0, **more), 3), read(data, source_of(2, **more), 3)):
        assert "negative_text" not in plain
        np.testing.assert_array_equal(plain["image"], hard["image"])
        np.testing.assert_array_equal(plain["options"], hard["options"])
        assert [texts(ids) for ids in plain["text"]] == [texts(ids) for ids in hard["text"]]


def test_of_questions_alone_the_right_option_is_the_caption(questions):
    """As a set of pairs is, a caption and a wrong one: NegCLIP's own form."""
    data = questions("question")
    for batch in read(data, source_of(1), 2):
        for row, ids in zip((batch["image"][:, 0, 0, 0] // 10).tolist(), batch["text"]):
            assert texts(ids) == encoded(option(row, row % OPTIONS))
        assert all(row % OPTIONS not in numbers for row, numbers in negatives(batch, 1))


@pytest.mark.parametrize("fields", [["captions", "question"], ["question"]], ids=" and ".join)
def test_lengths_are_those_of_the_captions_and_of_the_wrong_options(questions, fields):
    data = questions(*fields)
    for batch in read(data, source_of(4), 3):
        for name in ("text", "negative_text"):
            np.testing.assert_array_equal(batch[f"{name}_lengths"], (batch[name] == END).argmax(-1) + 1)


def test_sets_that_have_none(questions, scenes):
    with pytest.raises(NegjaxError, match="set scenes_negcap has no question"):
        check_trainable(
            open_set(scenes, "scenes_negcap"), Source("scenes_negcap", 8, contrastive=1.0, hard_negatives=1)
        )
    with pytest.raises(NegjaxError, match=r"scenes_balanced gives no hard_negatives: 4 rows share their options"):
        check_trainable(
            open_set(scenes, "scenes_balanced"), Source("scenes_balanced", 8, contrastive=1.0, hard_negatives=1)
        )
    with pytest.raises(NegjaxError, match="set asked has no captions"):
        check_trainable(questions("question"), Source("asked", 8, contrastive=1.0))
