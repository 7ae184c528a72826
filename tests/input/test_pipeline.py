"""The training pipeline: what global batch k holds, on any shard, after any restart, with broken images too."""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from PIL import Image
from support.images import encode, png

from negjax.config import Source
from negjax.datasets.records import ENCODED
from negjax.datasets.stored.store import open_set, write_set
from negjax.datasets.stored.stored_set import StoredSet
from negjax.datasets.stored.text_lengths import read_lengths, write_lengths
from negjax.errors import NegjaxError
from negjax.input.checks import check_trainable
from negjax.input.loader import Batch
from negjax.input.pipeline import batches, lengths_of_batches
from negjax.input.rows import MOST_REPLACED
from negjax.media.decoding import decode
from negjax.media.images import Preprocess, to_pixels
from negjax.tokenizers.clip import END, Tokenizer

PREPROCESS = Preprocess(size=16)
TRAIN = {"task_kind": "train", "negated": True}
NEGCAP = Source("scenes_negcap", 16, contrastive=1.0, negated_fraction=0.5, flip=True)
NEGMCQ = Source("scenes_negmcq", 16, mcq=1.0)
BALANCED = Source("scenes_balanced", 16, mcq=1.0, flip=True)
CROPPED = Source("scenes_captions", 16, contrastive=1.0, crop_scale=0.5, flip=True)
SOURCES = [NEGCAP, NEGMCQ, BALANCED, CROPPED]
LENGTHS = {"text_lengths", "options_lengths"}  # of all rows of the global batch


def read(
    data: StoredSet,
    source: Source,
    count: int,
    first: int = 0,
    rows: Sequence[int] | None = None,
    seed: int = 5,
    context: int = 77,
) -> list[Batch]:
    stream = batches(
        data,
        source,
        preprocess=PREPROCESS,
        tokenizer=Tokenizer(),
        with_lengths=True,
        context_length=context,
        seed=seed,
        first_step=first,
        rows=rows or range(source.batch_size),
    )
    return list(islice(stream, count))


def assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name])


def join(parts: Sequence[Batch]) -> Batch:
    """The batch of hosts with these parts of it; all know the lengths of all."""
    for part in parts[1:]:
        for name in LENGTHS & part.keys():
            np.testing.assert_array_equal(part[name], parts[0][name])
    return {name: x if name in LENGTHS else np.concatenate([p[name] for p in parts]) for name, x in parts[0].items()}


def pixels(record: dict) -> np.ndarray:
    return to_pixels(decode(record["media"], "x"), PREPROCESS)


def whose(data: StoredSet) -> dict[bytes, int]:
    """Row of each picture by its pixels, mirrored ones too."""
    found = {}
    for i, record in enumerate(data.rows()):
        image = pixels(record)
        found |= {image.tobytes(): i, image[:, ::-1].tobytes(): i}
    assert len(found) == 2 * len(data)
    return found


def texts(ids: np.ndarray) -> tuple[int, ...]:
    """A row's ids up to its end token."""
    return tuple(ids[: int(ids.argmax()) + 1].tolist())


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.dataset)
def test_batch_k_depends_on_seed_and_k_alone(scenes, source):
    data = open_set(scenes, source.dataset)
    whole = read(data, source, 24)  # past an epoch of 240 rows
    assert_equal(whole, read(open_set(scenes, source.dataset), source, 24))
    for first in (1, 9, 20):
        assert_equal(read(data, source, 3, first), whole[first : first + 3])
    other = read(data, source, 1, seed=6)[0]
    assert not np.array_equal(other["image"], whole[0]["image"])
    assert not np.array_equal(whole[1]["image"], whole[0]["image"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.dataset)
@pytest.mark.parametrize("shards", [1, 2, 4])
def test_shards_together_are_the_whole_batch(scenes, source, shards):
    data = open_set(scenes, source.dataset)
    each = source.batch_size // shards
    parts = [read(data, source, 5, 3, range(i * each, (i + 1) * each)) for i in range(shards)]
    assert_equal([join(step) for step in zip(*parts)], read(data, source, 5, 3))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.dataset)
def test_rows_need_not_be_neighbours(scenes, source):
    """As on a TPU, whose hosts lie scattered over the mesh."""
    data = open_set(scenes, source.dataset)
    mine = [0, 1, 2, 3, 12, 13, 14, 15]
    for part, whole in zip(read(data, source, 2, 3, mine), read(data, source, 2, 3)):
        assert len(part["image"]) == 8
        for name in part.keys() - LENGTHS:
            rows = [0, 3] if name == "options" and len(whole[name]) < 16 else mine  # of four rows together
            np.testing.assert_array_equal(part[name], whole[name][rows])


@pytest.mark.parametrize("batch_size", [16, 32])  # 240 rows are 15 batches, or seven and a half
def test_every_row_once_an_epoch_in_a_new_order(scenes, batch_size):
    data = open_set(scenes, "scenes_negcap")
    rows, source = whose(data), Source("scenes_negcap", batch_size, contrastive=1.0)
    got = [rows[image.tobytes()] for batch in read(data, source, 480 // batch_size) for image in batch["image"]]
    first, second = got[:240], got[240:]
    assert sorted(first) == sorted(second) == list(range(240))
    assert first != second
    assert first != sorted(first)
    assert np.mean([abs(a - b) for a, b in pairwise(first)]) > 50  # 80 for a random order


def test_captions_belong_to_their_pictures_and_are_drawn_anew(scenes):
    data, tokenizer = open_set(scenes, "scenes_negcap"), Tokenizer()
    rows, mirrored, negated, met = whose(data), 0, 0, Counter()
    count = 90  # six epochs
    for batch in read(data, NEGCAP, count):
        assert batch["image"].dtype == np.uint8
        assert batch["image"].shape == (16, 16, 16, 3)
        assert batch["text"].dtype == np.int32
        for image, ids in zip(batch["image"], batch["text"]):
            record = data[rows[image.tobytes()]]
            mirrored += not np.array_equal(image, pixels(record))
            said = {tuple(tokenizer.encode(text)): text for text in record["captions"] + record["negated_captions"]}
            text = said[texts(ids)]
            negated += text in record["negated_captions"]
            met[record["id"], text] += 1
    assert 0.46 < mirrored / (16 * count) < 0.54
    assert 0.46 < negated / (16 * count) < 0.54
    assert len(met) > 700  # of 1,440 captions; 960 or so are expected of six draws a picture


def test_crops_are_drawn_anew_and_are_parts_of_their_picture(damaged):
    """Of pictures of one colour each: whatever the crop, the colour says the row."""
    data = damaged(set())
    cropped = Source("damaged", 16, contrastive=1.0, crop_scale=0.3)
    for batch in read(data, cropped, 3):
        assert sorted(numbers(batch)) == list(range(16))
        assert all(len(np.unique(image[..., 0])) == 1 for image in batch["image"])
        encode = Tokenizer().encode
        assert [texts(ids) for ids in batch["text"]] == [tuple(encode(f"number {n}")) for n in numbers(batch)]


@pytest.mark.parametrize(("fraction", "column"), [(0.0, "captions"), (1.0, "negated_captions")])
def test_one_kind_of_caption_alone_and_no_mirroring(scenes, fraction, column):
    data, tokenizer = open_set(scenes, "scenes_negcap"), Tokenizer()
    rows = whose(data)
    source = Source("scenes_negcap", 16, sigmoid=1.0, negated_fraction=fraction)
    for batch in read(data, source, 15):
        for image, ids in zip(batch["image"], batch["text"]):
            record = data[rows[image.tobytes()]]
            np.testing.assert_array_equal(image, pixels(record))
            assert texts(ids) in {tuple(tokenizer.encode(text)) for text in record[column]}


def test_questions_share_their_options_within_a_group(scenes):
    data, tokenizer = open_set(scenes, "scenes_balanced"), Tokenizer()
    media = {}
    for record in data.rows():
        image = pixels(record)
        for each in (image, image[:, ::-1]):
            media.setdefault(each.tobytes(), set()).add((record["group"], record["answer"]))
    groups = {record["group"]: record for record in data.rows()}
    for batch in read(data, BALANCED, 15):
        assert batch["image"].shape[0] == 16
        assert batch["options"].shape[:2] == (4, 4)
        assert batch["answer"].dtype == np.int32
        for i, options in enumerate(batch["options"]):
            part = slice(4 * i, 4 * i + 4)
            assert sorted(batch["answer"][part]) == [0, 1, 2, 3]
            (group,) = set.intersection(*({g for g, _ in media[image.tobytes()]} for image in batch["image"][part]))
            assert [texts(ids) for ids in options] == [tuple(tokenizer.encode(t)) for t in groups[group]["options"]]
            for image, answer in zip(batch["image"][part], batch["answer"][part]):
                assert (group, answer) in media[image.tobytes()]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.dataset)
@pytest.mark.parametrize("context", [77, 10])
def test_lengths_are_those_of_the_texts_of_all_hosts(scenes, source, context):
    """A host with some of the rows knows the tokens of all."""
    data, name = open_set(scenes, source.dataset), "text" if source.contrastive else "options"
    some = range(4, 8)
    for whole, part in zip(read(data, source, 5, context=context), read(data, source, 5, rows=some, context=context)):
        ids = whole[name]
        assert ids.shape[-1] == context
        assert (ids == END).sum(-1).min() == (ids == END).sum(-1).max() == 1
        np.testing.assert_array_equal(part[f"{name}_lengths"], (ids == END).argmax(-1) + 1)
        np.testing.assert_array_equal(whole[f"{name}_lengths"], part[f"{name}_lengths"])


@pytest.mark.parametrize("source", [*SOURCES, replace(BALANCED, contrastive=1.0, negated_fraction=0.5)], ids=str)
def test_lengths_of_batches_are_known_without_reading_them(scenes, source):
    data = open_set(scenes, source.dataset)
    wanted = [{name: batch[name] for name in LENGTHS & batch.keys()} for batch in read(data, source, 20)]
    data = open_set(scenes, source.dataset)
    assert_equal(lengths_of_batches(data, source, Tokenizer(), 77, 5, 20), wanted)
    assert data._source is None  # no row was read


def test_lengths_of_a_set_of_an_earlier_version_are_no_less_than_the_texts(scenes, tmp_path):
    """It tells the longest text of each row alone."""
    for source in (NEGCAP, NEGMCQ):
        folder = shutil.copytree(scenes / source.dataset, tmp_path / source.dataset) / "1.0.0"
        arrays = read_lengths(folder / "lengths.npz")
        write_lengths(folder / "lengths.npz", {key: array for key, array in arrays.items() if key in ENCODED})
        (folder / "checksums.json").unlink()
        name = "text" if source.contrastive else "options"
        old, new = (
            read(open_set(tmp_path, source.dataset), source, 3),
            read(open_set(scenes, source.dataset), source, 3),
        )
        for batch, exact in zip(old, new):
            np.testing.assert_array_equal(batch[name], exact[name])
            assert (batch[f"{name}_lengths"] >= exact[f"{name}_lengths"]).all()
        known = lengths_of_batches(open_set(tmp_path, source.dataset), source, Tokenizer(), 77, 5, 3)
        assert_equal(known, [{key: batch[key] for key in LENGTHS & batch.keys()} for batch in old])


@pytest.fixture
def damaged(tmp_path) -> Callable[..., StoredSet]:
    """damaged(broken rows, group_size): 16 pictures whose red tells the row, each with its caption and question."""

    def make(broken: set[int], group_size: int = 1, count: int = 16) -> StoredSet:
        rows = [
            {
                "media": b"broken" if i in broken else png(10 * i),
                "captions": [f"number {i}"],
                "options": [f"group {i // group_size} option {o}" for o in range(4)],
                "answer": i % 4,
            }
            for i in range(count)
        ]
        fields = ["captions", "question"]
        write_set(tmp_path, "damaged", lambda: iter(rows), fields, TRAIN | {"group_size": group_size})
        return open_set(tmp_path, "damaged")

    return make


@pytest.mark.parametrize(("group_size", "batch_size"), [(1, 1), (4, 4), (16, 16)])
def test_one_row_or_one_group_a_batch(damaged, group_size, batch_size):
    """Every group once in each pass over the set, as in larger batches."""
    data = damaged(set(), group_size)
    source = Source("damaged", batch_size, mcq=1.0)
    reds = [int(batch["image"][0, 0, 0, 0]) // 10 // group_size for batch in read(data, source, 2 * 16 // batch_size)]
    groups = list(range(16 // group_size))
    assert sorted(reds[: len(groups)]) == sorted(reds[len(groups) :]) == groups


def test_what_is_no_training_set_of_questions(damaged, tmp_path):
    rows = [{"media": png(i), "options": ["a", "b", "c", "d"][: 2 + i % 3], "answer": 0} for i in range(16)]
    write_set(tmp_path, "mixed", lambda: iter(rows), ["question"], TRAIN)
    with pytest.raises(NegjaxError, match="set mixed has questions with 2 and with 4 options, which do not go into"):
        read(open_set(tmp_path, "mixed"), Source("mixed", 16, mcq=1.0), 1)
    lengths_of_batches(open_set(tmp_path, "mixed"), Source("mixed", 4, mcq=1.0), Tokenizer(), 77, 0, 8)
    clips = damaged(set())
    clips.metadata["media_type"] = "video"
    with pytest.raises(NegjaxError, match="set damaged holds videos: training takes images"):
        check_trainable(clips, Source("damaged", 16, contrastive=1.0))


def numbers(batch: Batch) -> list[int]:
    return (batch["image"][:, 0, 0, 0] // 10).tolist()


def test_a_broken_image_is_replaced_by_the_next_row(damaged, caplog):
    data, source = damaged({4, 5, 15}), Source("damaged", 16, contrastive=1.0)
    with caplog.at_level(logging.WARNING):
        (batch,) = read(data, source, 1)
    assert sorted(numbers(batch)) == sorted([0, 1, 2, 3, 6, 6, *range(6, 15), 0])
    encode = Tokenizer().encode
    assert [texts(ids) for ids in batch["text"]] == [tuple(encode(f"number {n}")) for n in numbers(batch)]
    lines = {record.getMessage() for record in caplog.records}
    assert {line.split(":")[0] for line in lines} == {"damaged row 4", "damaged row 5", "damaged row 15"}
    counts = [line.partition("the next row takes its place (")[2] for line in lines]
    assert sorted(counts) == ["1 broken so far)", "2 broken so far)", "3 broken so far)"]
    assert_equal([batch], read(data, source, 1))
    parts = [read(data, source, 1, rows=range(i, i + 4))[0] for i in range(0, 16, 4)]
    assert_equal([batch], [join(parts)])


def test_a_broken_image_of_a_group_is_replaced_from_its_group(damaged):
    """Else the question would be asked of a picture that belongs to other options."""
    data, source = damaged({2, 7, 8}, group_size=4), Source("damaged", 16, mcq=1.0)
    batch = read(data, source, 1)[0]
    expected = {0: [0, 1, 3, 3], 4: [4, 5, 6, 4], 8: [9, 9, 10, 11], 12: [12, 13, 14, 15]}
    encode = Tokenizer().encode
    for i, options in enumerate(batch["options"]):
        got = numbers(batch)[4 * i : 4 * i + 4]
        first = got[0] // 4 * 4
        assert got == expected.pop(first)
        assert batch["answer"][4 * i : 4 * i + 4].tolist() == [n % 4 for n in got]
        assert [texts(ids) for ids in options] == [tuple(encode(f"group {first // 4} option {o}")) for o in range(4)]
    assert not expected


@pytest.mark.parametrize(("broken", "group_size"), [(range(16), 1), (range(8, 12), 4)])
def test_too_many_broken_images_are_an_error(damaged, broken, group_size):
    data = damaged(set(broken), group_size)
    source = Source("damaged", 16, mcq=1.0)
    rest = min(MOST_REPLACED, len(broken) - 1)
    with pytest.raises(NegjaxError, match=rf"damaged row \d+: .* nor can the {rest} rows .*: rebuild the set"):
        read(data, source, 1)


def test_as_many_broken_images_in_a_row_as_are_allowed(damaged):
    data = damaged(set(range(1, 1 + MOST_REPLACED)))
    batch = read(data, Source("damaged", 16, contrastive=1.0), 1)[0]
    assert Counter(numbers(batch))[1 + MOST_REPLACED] == 1 + MOST_REPLACED


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("scenes_captions", 8, mcq=1.0), "set scenes_captions has no question"),
        (Source("scenes_captions", 8, contrastive=1.0, negated_fraction=0.5), "has no negated_captions"),
        (Source("scenes_negmcq", 8, contrastive=1.0), "set scenes_negmcq has no captions"),
        (Source("scenes_negmcq", 8, sigmoid=1.0), "set scenes_negmcq has no captions"),
        (Source("scenes_captions", 1024, contrastive=1.0), "batch_size 1024 does not suit .* at most 96"),
        (Source("scenes_balanced", 18, mcq=1.0), "batch_size 18 does not suit .* a multiple of 4"),
    ],
)
def test_sets_that_do_not_suit_their_source(scenes, source, message):
    with pytest.raises(NegjaxError, match=message):
        check_trainable(open_set(scenes, source.dataset), source)
    with pytest.raises(NegjaxError, match=message):
        read(open_set(scenes, source.dataset), source, 1)


def test_colours_are_drawn_with_the_batch_and_change_no_other_draw(scenes):
    """On any shard and after any restart; how they change is the device's work."""
    data = open_set(scenes, "scenes_negcap")
    source = replace(NEGCAP, color_jitter=(0.4, 0.4, 0.4, 0.1), color_jitter_prob=0.5, gray_scale_prob=0.2)
    whole = read(data, source, 8)
    for batch in whole:
        assert batch["augment"].shape == (16, 6)
        assert batch["augment"].dtype == np.float32
    drawn = np.concatenate([batch.pop("augment") for batch in whole])
    assert 0.35 < (drawn[:, 0] != 1).mean() < 0.65
    assert 0.08 < drawn[:, 5].mean() < 0.32
    assert len(np.unique(drawn[drawn[:, 0] != 1], axis=0)) == (drawn[:, 0] != 1).sum()
    assert_equal(whole, read(data, NEGCAP, 8))
    parts = [read(data, source, 2, 3, range(i, i + 8))[1]["augment"] for i in (0, 8)]
    np.testing.assert_array_equal(np.concatenate(parts), drawn[4 * 16 : 5 * 16])


def test_crops_have_the_ratios_that_are_asked_for(tmp_path):
    """Of pictures whose right half is green: a narrow crop mostly shows one half, a wide one both."""
    picture = Image.new("RGB", (40, 40))
    picture.paste((0, 255, 0), (20, 0, 40, 40))
    rows = [{"media": encode(picture), "captions": ["halves"]} for _ in range(16)]
    write_set(tmp_path, "halves", lambda: iter(rows), ["captions"], TRAIN)
    shares = []
    for ratio in ((0.1, 0.12), (8.0, 10.0)):
        source = Source("halves", 16, contrastive=1.0, crop_scale=0.2, crop_ratio=ratio)
        found = read(open_set(tmp_path, "halves"), source, 8)
        shares.append(np.mean([len(np.unique(image[8, :, 1])) == 1 for batch in found for image in batch["image"]]))
    assert shares[0] > 0.4
    assert shares[1] < 0.1


def test_sets_that_suit_their_source(scenes):
    check_trainable(
        open_set(scenes, "scenes_negcap"), Source("scenes_negcap", 240, contrastive=1.0, negated_fraction=1.0)
    )
    check_trainable(open_set(scenes, "scenes_balanced"), Source("scenes_balanced", 20, mcq=1.0))
