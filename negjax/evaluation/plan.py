"""Everything an evaluation needs that no model changes: tasks over shared images and tokenised captions.

A plan serves any number of models with the same preprocessing and context length, as in training.
Shapes: N rows, C captions of a retrieval set, O options, K classes, P templates, T tokens, S image size.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import grain
import numpy as np

from negjax.datasets.reading import Set
from negjax.media.images import Preprocess, decode, to_pixels


@dataclass
class Questions:
    """Places of each question's options among the plan's captions, and of the right one among the options."""

    option_NO: np.ndarray
    answer_N: np.ndarray
    kinds: list[str]


@dataclass
class Retrieval:
    """Places of all captions, row by row in list order, among the plan's captions, and the row of each."""

    caption_C: np.ndarray
    owner_C: np.ndarray


@dataclass
class ZeroShot:
    """The class of each row, and the places of each class's prompts among the plan's captions."""

    label_N: np.ndarray
    prompt_KP: np.ndarray


@dataclass
class Task:
    """A set to score: who its rows are, which of the plan's images each shows, and what is asked."""

    name: str
    kind: str
    negated: bool
    id_N: np.ndarray
    group_N: np.ndarray
    image_N: np.ndarray
    content: Questions | Retrieval | ZeroShot


@dataclass(frozen=True)
class Source:
    """The first row that holds an image or a caption, and its id."""

    data: Set
    row: int
    id: int

    def __str__(self) -> str:
        return f"set {self.data.name}, row {self.id}"


@dataclass
class Plan:
    """Tasks over shared images and captions. token_CT: the distinct captions' token ids, int32."""

    tasks: list[Task]
    images: list[Source]
    captions: list[Source]
    token_CT: np.ndarray
    preprocess: Preprocess
    keep_bytes: int = 0
    _kept: np.ndarray | None = field(default=None, repr=False)

    def pixels(self, batch_size: int) -> Iterator[np.ndarray]:
        """The distinct images in order, uint8 [b, S, S, 3], the last batch as short as it is.

        Decoded in threads, two batches ahead. All are kept for the next time if they fit into `keep_bytes`.
        """
        shape = (len(self.images), self.preprocess.size, self.preprocess.size, 3)
        if self._kept is not None:
            yield from (self._kept[i : i + batch_size] for i in range(0, shape[0], batch_size))
            return
        options = grain.ReadOptions(num_threads=os.cpu_count() or 1, prefetch_buffer_size=2 * batch_size)
        stream = grain.MapDataset.range(shape[0]).map(self._read).to_iter_dataset(options)
        kept = np.empty(shape, np.uint8) if np.prod(shape) <= self.keep_bytes else None
        done = 0
        for batch in stream.batch(batch_size, drop_remainder=False):
            if kept is not None:
                kept[done : done + len(batch)] = batch
            done += len(batch)
            yield batch
        self._kept = kept

    def _read(self, place: int) -> np.ndarray:
        source = self.images[place]
        return to_pixels(decode(source.data[source.row]["media"], str(source)), self.preprocess)
