"""Makes the arrays of this host from the rows and draws of a global batch: one function for each input.

Shapes: B rows of the global batch, b of them on this host, g rows that share their options, S the side of an image,
T tokens of the context, H hard negatives of a row, O options.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from negjax.config import Source
from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.input.batch_negation import Negation, SetObjects
from negjax.input.broken import BrokenRows
from negjax.input.cache import Entry
from negjax.input.checks import caption_fields, group_size
from negjax.input.draws import CAPTION, CROP, MIRRORED, NEGATED, flat_draws
from negjax.input.rows import RowReader
from negjax.input.texts import (
    caption_lengths,
    draw_caption,
    draw_wrong_options,
    option_lengths,
    wrong_option_lengths,
)
from negjax.media.augment import jitter_params
from negjax.media.boxes import random_box
from negjax.media.images import Preprocess, to_pixels
from negjax.tokenizers import AnyTokenizer

Batch = dict[str, np.ndarray]


@dataclass(frozen=True)
class DrawnBatch:
    """A global batch before its arrays are made.

    Attributes:
        row_B: row numbers in the set.
        draws: name -> random numbers [B, ...], see `negjax.input.draws`.
        local_b: which of the B rows are this host's.
        entries: image and record of each of this host's rows; empty where lengths alone are asked for.
        negations: what the captions that are made in the batch deny, for each of the B rows; empty where none is made.
    """

    row_B: np.ndarray
    draws: dict[str, np.ndarray]
    local_b: np.ndarray
    entries: list[Entry]
    negations: list[Negation]

    def local(self, name: str) -> np.ndarray:
        """The random numbers of this host's rows, [b, ...]."""
        return self.draws[name][self.local_b]


class BatchLoader:
    """Turns the row numbers and draws of a global batch into the arrays of this host's rows."""

    def __init__(
        self,
        data: StoredSet,
        source: Source,
        preprocess: Preprocess,
        tokenizer: AnyTokenizer,
        context_length: int,
        local_b: np.ndarray,
        broken: BrokenRows,
        *,
        with_lengths: bool,
    ) -> None:
        self._data, self._source, self._preprocess, self._tokenizer = data, source, preprocess, tokenizer
        self._context_length, self._local_b, self._with_lengths = context_length, local_b, with_lengths
        self._reader = RowReader(data, preprocess, broken, cropped=source.crop_scale < 1)
        self._objects = _read_objects(data) if MADE_IN_BATCH & set(source.inputs) else None

    def __call__(self, groups: dict[str, np.ndarray]) -> Batch:
        draws = flat_draws(groups)
        entries = [self._reader.read(int(row)) for row in draws["row"][self._local_b]]
        drawn = DrawnBatch(draws["row"], draws, self._local_b, entries, self._negations(draws))
        batch = {name: ARRAYS[name](self, drawn) for name in self._source.inputs}
        return batch | (self._lengths(drawn) if self._with_lengths else {})

    def lengths(self, groups: dict[str, np.ndarray]) -> Batch:
        """The lengths of a global batch, without reading its rows."""
        draws = flat_draws(groups)
        return self._lengths(DrawnBatch(draws["row"], draws, self._local_b, [], self._negations(draws)))

    def _negations(self, draws: dict[str, np.ndarray]) -> list[Negation]:
        return self._objects.negations(draws["row"], draws["negation"]) if self._objects else []

    def _lengths(self, drawn: DrawnBatch) -> Batch:
        names = [name for name in self._source.inputs if name in LENGTHS]
        return {lengths_key(name): np.minimum(LENGTHS[name](self, drawn), self._context_length) for name in names}

    def images(self, drawn: DrawnBatch) -> np.ndarray:
        """uint8 [b, S, S, 3], cropped and mirrored as drawn."""
        draws_bD = drawn.local("draw")
        return np.stack([self._pixels(image, draws_D) for (image, _), draws_D in zip(drawn.entries, draws_bD)])

    def recolorings(self, drawn: DrawnBatch) -> np.ndarray:
        """float32 [b, 6], see `negjax.media.augment`."""
        return jitter_params(self._source, drawn.local("color"))

    def captions(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b, T]."""
        return self._drawn_captions(drawn, self._caption_fields(drawn))

    def negated_captions(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b, T]."""
        return self._drawn_captions(drawn, _negated(drawn))

    def _drawn_captions(self, drawn: DrawnBatch, field_B: np.ndarray) -> np.ndarray:
        """The drawn caption of a field of each row, int32 [b, T]."""
        draws_bD, fields_b = drawn.local("draw"), field_B[drawn.local_b]
        texts = [
            draw_caption(record, field, draw)
            for (_, record), field, draw in zip(drawn.entries, fields_b, draws_bD[:, CAPTION])
        ]
        return self._tokenizer(texts, self._context_length)

    def hybrid_captions(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b, T]."""
        return self._made_captions(drawn, Negation.hybrid)

    def denials(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b, T]."""
        return self._made_captions(drawn, Negation.alone)

    def _made_captions(self, drawn: DrawnBatch, make: Callable[[Negation, str], str]) -> np.ndarray:
        """What is made of the drawn plain caption of each row, int32 [b, T]."""
        draws_bD, texts = drawn.local("draw"), []
        for (_, record), number, draw in zip(drawn.entries, drawn.local_b, draws_bD[:, CAPTION]):
            negation, caption = drawn.negations[number], draw_caption(record, "captions", draw)
            texts.append(caption if negation.contradicts(record["positive_objects"]) else make(negation, caption))
        return self._tokenizer(texts, self._context_length)

    def wrong_options(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b H, T], H consecutive ones for each image."""
        draws_bH = drawn.local("negative")
        texts = [
            text
            for (_, record), draws_H in zip(drawn.entries, draws_bH)
            for text in draw_wrong_options(record, draws_H)
        ]
        return self._tokenizer(texts, self._context_length)

    def options(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b / g, O, T]."""
        questions = [record["options"] for _, record in drawn.entries[:: group_size(self._data)]]
        if len(counts := {len(options) for options in questions}) > 1:
            raise NegjaxError(
                f"set {self._data.name} has questions with {min(counts)} and with {max(counts)} options, which do "
                "not go into one batch: build a set of each"
            )
        tokens = self._tokenizer([text for options in questions for text in options], self._context_length)
        return tokens.reshape(len(questions), -1, tokens.shape[1])

    def answers(self, drawn: DrawnBatch) -> np.ndarray:
        """int32 [b]."""
        return np.array([record["answer"] for _, record in drawn.entries], np.int32)

    def _pixels(self, image: np.ndarray | Image.Image, draws_D: np.ndarray) -> np.ndarray:
        source = self._source
        if isinstance(image, Image.Image):
            box = random_box(*image.size, source.crop_scale, draws_D[CROP], source.crop_ratio)
            image = to_pixels(image, self._preprocess, box)
        return image[:, ::-1] if source.flip and draws_D[MIRRORED] < 0.5 else image

    def _caption_fields(self, drawn: DrawnBatch) -> np.ndarray:
        """The field of the caption of each row of the global batch, [B]."""
        names = caption_fields(self._data, self._source)
        return np.where(drawn.draws["draw"][:, NEGATED] < self._source.negated_fraction, names[-1], names[0])

    def caption_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B]."""
        draw_B = drawn.draws["draw"][:, CAPTION]
        return caption_lengths(self._data, self._caption_fields(drawn), drawn.row_B, draw_B)

    def negated_caption_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B]."""
        return caption_lengths(self._data, _negated(drawn), drawn.row_B, drawn.draws["draw"][:, CAPTION])

    def hybrid_caption_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B]."""
        return self._made_lengths(drawn, Negation.hybrid_tokens)

    def denial_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B]."""
        return self._made_lengths(drawn, Negation.alone_tokens)

    def _made_lengths(self, drawn: DrawnBatch, tokens: Callable[[Negation, int], int]) -> np.ndarray:
        """The most tokens of what is made of the drawn plain caption of each row, int64 [B]."""
        plain_B = np.full(len(drawn.row_B), "captions")
        caption_B = caption_lengths(self._data, plain_B, drawn.row_B, drawn.draws["draw"][:, CAPTION])
        made = zip(drawn.negations, caption_B.tolist())
        return np.array([tokens(negation, caption) for negation, caption in made], np.int64)

    def wrong_option_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B H]."""
        return wrong_option_lengths(self._data, drawn.row_B, drawn.draws["negative"])

    def option_lengths(self, drawn: DrawnBatch) -> np.ndarray:
        """int64 [B / g, O]."""
        return option_lengths(self._data, drawn.row_B[:: group_size(self._data)])


@lru_cache(maxsize=1)
def _read_objects(data: StoredSet) -> SetObjects:
    """The objects in the images of all rows, for which the whole set is read."""
    return SetObjects(data.name, (record["positive_objects"] for record in data.rows()))


def _negated(drawn: DrawnBatch) -> np.ndarray:
    """The field of negated captions for each row of the global batch, [B]."""
    return np.full(len(drawn.row_B), "negated_captions")


def lengths_key(name: str) -> str:
    """The key in a batch of the tokens of the texts of an input, of all rows of the global batch."""
    return f"{name}_lengths"


MADE_IN_BATCH = {"hybrid_text", "denial_text"}
# Name of an input (`negjax.objectives.inputs.INPUTS`) -> the method that makes its array, or tells its tokens.
ARRAYS: dict[str, Callable[[BatchLoader, DrawnBatch], np.ndarray]] = {
    "image": BatchLoader.images,
    "augment": BatchLoader.recolorings,
    "text": BatchLoader.captions,
    "negative_text": BatchLoader.wrong_options,
    "negated_text": BatchLoader.negated_captions,
    "hybrid_text": BatchLoader.hybrid_captions,
    "denial_text": BatchLoader.denials,
    "options": BatchLoader.options,
    "answer": BatchLoader.answers,
}
LENGTHS: dict[str, Callable[[BatchLoader, DrawnBatch], np.ndarray]] = {
    "text": BatchLoader.caption_lengths,
    "negative_text": BatchLoader.wrong_option_lengths,
    "negated_text": BatchLoader.negated_caption_lengths,
    "hybrid_text": BatchLoader.hybrid_caption_lengths,
    "denial_text": BatchLoader.denial_lengths,
    "options": BatchLoader.option_lengths,
}
