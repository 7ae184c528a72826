"""The training pipeline: global batch k is a pure function of (seed, k), on any number of hosts.

Row numbers are shuffled, repeated, given their random draws and batched before anything is read; then each host loads
its rows of the batch. All hosts know all row numbers, hence the longest caption, hence the same shapes; and the state
of the data is one integer, the step.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grain
import numpy as np
from PIL import Image

from negjax.config import Source
from negjax.datasets.store import Set
from negjax.errors import NegjaxError
from negjax.media.images import Preprocess, decode, random_box, to_pixels
from negjax.tokenizer_hf import AnyTokenizer

Batch = dict[str, np.ndarray]
LENGTH_STEP = 4  # captions are cut at the longest of the batch, rounded up to this, so that few shapes are compiled
MOST_BROKEN = 10  # so many broken images in a row are replaced before it is an error
CACHE_BYTES = 1 << 30  # decoded images are kept until they fill this
DRAWS = 7  # random numbers for each use of a row: negated or not, which caption, mirrored or not, four for the crop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Rows [start, stop) of every global batch are loaded here."""

    start: int
    stop: int


def batches(
    data: Set,
    source: Source,
    *,
    preprocess: Preprocess,
    tokenizer: AnyTokenizer,
    context_length: int,
    trim: bool,
    seed: int,
    first_step: int,
    shard: Shard,
    threads: int = 2,
    ahead: int = 4,
) -> Iterator[Batch]:
    """Batches without end, from global batch `first_step` on, each with the rows of `shard`.

    "image": uint8 [b, S, S, 3]; with a contrastive or sigmoid weight "text": int32 [b, T]; with an mcq weight
    "options": int32 [b / g, O, T] and "answer": int32 [b], where g consecutive rows share their options (1 unless the
    set's metadata gives a group_size). trim: T is the batch's longest caption, rounded up to LENGTH_STEP, as the set
    counts CLIP's tokens; otherwise T is the context length.
    """
    check(data, source)
    group = group_size(data)
    plan = (
        grain.MapDataset.range(len(data) // group)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(partial(_draw, group=group))
        .batch(source.batch_size // group)
        .map(_Loader(data, source, preprocess, tokenizer, context_length, trim, shard))
    )
    stream = iter(plan.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)))
    stream.set_state({"next_index": first_step})
    return stream


def check(data: Set, source: Source) -> None:
    """Raises NegjaxError when the set lacks what the source's objectives need."""
    captions = source.contrastive or source.sigmoid
    needed = {
        "captions": captions and source.negated_fraction < 1,
        "negated_captions": captions and source.negated_fraction > 0,
        "question": source.mcq,
    }
    for name, wanted in needed.items():
        if wanted and name not in data.fields:
            raise NegjaxError(f"set {data.name} has no {name}: this source's objectives need them")
    if not len(data):
        raise NegjaxError(f"set {data.name} is empty")
    if source.batch_size % group_size(data) or source.batch_size > len(data):
        raise NegjaxError(
            f"batch_size {source.batch_size} does not suit set {data.name}: it must be a multiple of "
            f"{group_size(data)} and at most {len(data)}"
        )


def group_size(data: Set) -> int:
    """How many consecutive rows share their options, and so stay together in a batch."""
    return int(data.metadata.get("group_size", 1))


def _draw(index: int, rng: np.random.Generator, *, group: int) -> dict[str, Any]:
    """A group's rows, and what is random about each: its caption, and how the image is cut and mirrored."""
    return {"row": group * index + np.arange(group), "draw": rng.random((group, DRAWS))}


@dataclass
class _Loader:
    """Turns the row numbers and draws of a global batch into the arrays of this host's shard."""

    data: Set
    source: Source
    preprocess: Preprocess
    tokenizer: AnyTokenizer
    context_length: int
    trim: bool
    shard: Shard

    def __post_init__(self) -> None:
        self.cache: dict[int, tuple[np.ndarray, dict]] = {}
        self.room = CACHE_BYTES

    def __call__(self, plan: dict[str, np.ndarray]) -> Batch:
        part = slice(self.shard.start, self.shard.stop)
        numbers, draws = plan["row"].reshape(-1), plan["draw"].reshape(-1, DRAWS)
        rows = [self._row(int(i)) for i in numbers[part]]
        batch = {"image": np.stack([self._pixels(image, draw) for (image, _), draw in zip(rows, draws[part])])}
        if self.source.contrastive or self.source.sigmoid:
            negated = draws[:, 0] < self.source.negated_fraction
            fields = np.where(negated, "negated_captions", "captions")
            texts = [_pick(record[name], draw) for (_, record), name, draw in zip(rows, fields[part], draws[part, 1])]
            batch["text"] = self.tokenizer(texts, self._length(numbers, set(fields)))
        if self.source.mcq:
            asked = [record["options"] for _, record in rows[:: group_size(self.data)]]
            tokens = self.tokenizer([text for options in asked for text in options], self._length(numbers, {"options"}))
            batch["options"] = tokens.reshape(len(asked), -1, tokens.shape[1])
            batch["answer"] = np.array([record["answer"] for _, record in rows], np.int32)
        return batch

    def _pixels(self, image: np.ndarray, draw_D: np.ndarray) -> np.ndarray:
        """The image as the model takes it, cut and mirrored as drawn."""
        if self.source.crop_scale < 1:
            box = random_box(image.shape[1], image.shape[0], self.source.crop_scale, draw_D[3:])
            image = to_pixels(Image.fromarray(image), self.preprocess, box)
        return image[:, ::-1] if self.source.flip and draw_D[2] < 0.5 else image

    def _length(self, rows: np.ndarray, fields: set[str]) -> int:
        if not self.trim:
            return self.context_length
        longest = max(int(self.data.lengths(name)[rows].max()) for name in fields)
        return min(-(-longest // LENGTH_STEP) * LENGTH_STEP, self.context_length)

    def _row(self, index: int) -> tuple[np.ndarray, dict]:
        """Image and record of a row; of the next row that can be decoded where this one cannot.

        Rows that share their options are replaced from among themselves, for an answer counts among options. The image
        is preprocessed already, unless it is yet to be cropped.
        """
        if index in self.cache:
            return self.cache[index]
        group = group_size(self.data)
        span = group if group > 1 else len(self.data)
        start, last = index - index % span, min(MOST_BROKEN, span - 1)
        for step in range(last + 1):
            record = self.data[start + (index - start + step) % span]
            try:
                image = decode(record.pop("media"), f"{self.data.name} row {record['id']}")
                break
            except NegjaxError as error:
                if step == last:
                    raise NegjaxError(f"{error}, nor can the {step} rows before it: rebuild the set") from error
                logger.warning("%s: the next row takes its place", error)
        cropped = self.source.crop_scale < 1
        entry = np.asarray(image) if cropped else to_pixels(image, self.preprocess), record
        if entry[0].nbytes <= self.room:
            self.room -= entry[0].nbytes
            self.cache[index] = entry
        return entry


def _pick(choices: list[str], draw: float) -> str:
    return choices[int(draw * len(choices))]
