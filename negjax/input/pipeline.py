"""The training pipeline: global batch k is a pure function of (seed, k), on any number of hosts.

Row numbers are shuffled, repeated, given their random draws and batched before anything is read; then each host loads
its rows of the batch. All hosts know all row numbers, hence the longest caption, hence the same shapes; and the state
of the data is one integer, the step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import grain
import numpy as np
from PIL import Image

from negjax.config import Source
from negjax.datasets.records import Record
from negjax.datasets.stored.store import StoredSet
from negjax.errors import NegjaxError
from negjax.input.broken import BrokenRows
from negjax.input.cache import DecodedImages, Entry
from negjax.media.augment import jitter_params
from negjax.media.boxes import random_box
from negjax.media.images import Preprocess, decode, to_pixels
from negjax.media.jpeg import decode_unresized
from negjax.tokenizers import AnyTokenizer

Batch = dict[str, np.ndarray]
LENGTH_STEP = 4  # captions are cut at the longest of the batch, rounded up to this, so that few shapes are compiled
MOST_BROKEN = 10  # so many broken images in a row are replaced before it is an error
DRAWS = 7  # random numbers for each use of a row: negated or not, which caption, mirrored or not, four for the crop
COLORS = 7  # and for its colours, see `recoloring`


def batches(
    data: StoredSet,
    source: Source,
    *,
    preprocess: Preprocess,
    tokenizer: AnyTokenizer,
    context_length: int,
    trim: bool,
    seed: int,
    first_step: int,
    rows: Sequence[int] | np.ndarray,
    threads: int = 2,
    ahead: int = 4,
    broken: BrokenRows | None = None,
) -> Iterator[Batch]:
    """Batches without end, from global batch `first_step` on, of each only these rows (whole groups of them).

    "image": uint8 [b, S, S, 3]; for objectives on captions "text": int32 [b, T]; with H hard negatives "negative_text":
    int32 [b H, T], H consecutive ones for each image; with an mcq weight "options": int32 [b / g, O, T] and "answer":
    int32 [b], where g consecutive rows share their options (1 unless the set's metadata gives a group_size); where
    colours change "augment": float32 [b, 6], see `negjax.media.augment`. trim: T is the batch's longest caption (hard
    negatives among them), rounded up to LENGTH_STEP, as the set counts CLIP's tokens; otherwise T is the context
    length. broken: counts the rows whose image cannot be decoded; by default all may be.
    """
    check_trainable(data, source)
    group = group_size(data)
    broken = BrokenRows(len(data)) if broken is None else broken
    plan = (
        grain.MapDataset.range(len(data) // group)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(partial(_draw, group=group, hard_negatives=source.hard_negatives))
        .batch(source.batch_size // group)
        .map(_Loader(data, source, preprocess, tokenizer, context_length, trim, np.asarray(rows), broken))
    )
    stream = iter(plan.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)))
    stream.set_state({"next_index": first_step})
    return stream


def check_trainable(data: StoredSet, source: Source) -> None:
    """Raises NegjaxError when the set lacks what the source's objectives need."""
    names = _caption_fields(data, source) if source.uses_captions else []
    for name in [*names, *(["question"] if source.mcq or source.hard_negatives else [])]:
        if name not in data.fields:
            raise NegjaxError(f"set {data.name} has no {name}: this source's objectives need them")
    if data.metadata.get("media_type", "image") != "image":
        raise NegjaxError(f"set {data.name} holds {data.metadata['media_type']}s: training takes images")
    if source.hard_negatives and group_size(data) > 1:
        raise NegjaxError(
            f"set {data.name} gives no hard_negatives: {group_size(data)} rows share their options, and each of these "
            "is right for one of them"
        )
    if not len(data):
        raise NegjaxError(f"set {data.name} is empty")
    if source.batch_size % group_size(data) or source.batch_size > len(data):
        raise NegjaxError(
            f"batch_size {source.batch_size} does not suit set {data.name}: it must be a multiple of "
            f"{group_size(data)} and at most {len(data)}"
        )


def group_size(data: StoredSet) -> int:
    """How many consecutive rows share their options, and so stay together in a batch."""
    return int(data.metadata.get("group_size", 1))


def _caption_fields(data: StoredSet, source: Source) -> list[str]:
    """Where the captions are drawn from: the set's fields, "question" for its right option."""
    alone = source.hard_negatives > 0 and "captions" not in data.fields and "question" in data.fields
    plain = ["question" if alone else "captions"] if source.negated_fraction < 1 else []
    return plain + (["negated_captions"] if source.negated_fraction > 0 else [])


def _draw(index: int, rng: np.random.Generator, *, group: int, hard_negatives: int) -> dict[str, Any]:
    """A group's rows, and what is random about each: its captions, and how the image is cut, mirrored and coloured.

    What was added later is drawn later, so that it does not change what was drawn before.
    """
    return {
        "row": group * index + np.arange(group),
        "draw": rng.random((group, DRAWS)),
        "color": rng.random((group, COLORS)),
        "negative": rng.random((group, hard_negatives)),
    }


@dataclass
class _Loader:
    """Turns the row numbers and draws of a global batch into the arrays of this host's rows."""

    data: StoredSet
    source: Source
    preprocess: Preprocess
    tokenizer: AnyTokenizer
    context_length: int
    trim: bool
    part: np.ndarray
    broken: BrokenRows

    def __post_init__(self) -> None:
        cropped, size = self.source.crop_scale < 1, self.preprocess.size
        self.cache = DecodedImages(len(self.data), None if cropped else size * size * 3)

    def __call__(self, plan: dict[str, np.ndarray]) -> Batch:
        source, part = self.source, self.part
        numbers, draws = plan["row"].reshape(-1), plan["draw"].reshape(-1, DRAWS)
        rows = [self._row(int(i)) for i in numbers[part]]
        batch = {"image": np.stack([self._pixels(image, draw) for (image, _), draw in zip(rows, draws[part])])}
        if source.recolors:
            batch["augment"] = jitter_params(source, plan["color"].reshape(-1, COLORS)[part])
        if source.uses_captions:
            names = _caption_fields(self.data, source)
            fields = np.where(draws[:, 0] < source.negated_fraction, names[-1], names[0])
            drawn = zip(rows, fields[part], draws[part, 1])
            texts = [_caption(record, name, draw) for (_, record), name, draw in drawn]
            # Of one length with the hard negatives: fewer shapes to compile, and the text tower runs once for both.
            length = self._length(numbers, {*fields, *(["question"] if source.hard_negatives else [])})
            batch["text"] = self.tokenizer(texts, length)
            if source.hard_negatives:
                draws_BH = plan["negative"].reshape(len(numbers), -1)[part]
                wrong = [text for (_, record), draws_H in zip(rows, draws_BH) for text in _wrong(record, draws_H)]
                batch["negative_text"] = self.tokenizer(wrong, length)
        if source.mcq:
            asked = [record["options"] for _, record in rows[:: group_size(self.data)]]
            if len(counts := {len(options) for options in asked}) > 1:
                raise NegjaxError(
                    f"set {self.data.name} has questions with {min(counts)} and with {max(counts)} options, which do "
                    "not go into one batch: build a set of each"
                )
            length = self._length(numbers, {"question"})
            tokens = self.tokenizer([text for options in asked for text in options], length)
            batch["options"] = tokens.reshape(len(asked), -1, tokens.shape[1])
            batch["answer"] = np.array([record["answer"] for _, record in rows], np.int32)
        return batch

    def _pixels(self, image: np.ndarray, draw_D: np.ndarray) -> np.ndarray:
        """The image as the model takes it, cut and mirrored as drawn."""
        if self.source.crop_scale < 1:
            height, width, _ = image.shape
            box = random_box(width, height, self.source.crop_scale, draw_D[3:], self.source.crop_ratio)
            image = to_pixels(Image.fromarray(image), self.preprocess, box)
        return image[:, ::-1] if self.source.flip and draw_D[2] < 0.5 else image

    def _length(self, rows: np.ndarray, fields: set[str]) -> int:
        if not self.trim:
            return self.context_length
        columns = {"options" if name == "question" else name for name in fields}
        longest = max(int(self.data.lengths(name)[rows].max()) for name in columns)
        return min(-(-longest // LENGTH_STEP) * LENGTH_STEP, self.context_length)

    def _row(self, index: int) -> Entry:
        """Image and record of a row; of the next row that can be decoded where this one cannot.

        Rows that share their options are replaced from among themselves, for an answer counts among options. The image
        is preprocessed already, unless it is yet to be cropped.
        """
        if (kept := self.cache.get(index)) is not None:
            return kept
        group = group_size(self.data)
        span = group if group > 1 else len(self.data)
        start, last = index - index % span, min(MOST_BROKEN, span - 1)
        for step in range(last + 1):
            number = start + (index - start + step) % span
            record = self.data[number]
            media = record.pop("media")
            try:
                pixels = self._decoded(media, f"{self.data.name} row {record['id']}")
                break
            except NegjaxError as error:
                if step == last:
                    raise NegjaxError(f"{error}, nor can the {step} rows before it: rebuild the set") from error
                self.broken.add(self.data, number, error)
        entry = pixels, record
        self.cache.add(index, entry)
        return entry

    def _decoded(self, media: bytes, where: str) -> np.ndarray:
        """The image as the model takes it, or whole where it is yet to be cropped."""
        if self.source.crop_scale < 1:
            return np.asarray(decode(media, where))
        ready = decode_unresized(media, self.preprocess)
        return to_pixels(decode(media, where), self.preprocess) if ready is None else ready


def _caption(record: Record, field: str, draw: float) -> str:
    """One of the field's captions; a question's is its right option."""
    if field == "question":
        return record["options"][record["answer"]]
    return record[field][int(draw * len(record[field]))]


def _wrong(record: Record, draws_H: np.ndarray) -> list[str]:
    """Wrong options of the record's question, without replacement as long as there are any left."""
    wrong = [text for number, text in enumerate(record["options"]) if number != record["answer"]]
    found, left = [], list(wrong)
    for draw in draws_H:
        left = left or list(wrong)
        found.append(left.pop(int(draw * len(left))))
    return found
