"""Rows of a stored set with their decoded images; rows whose image cannot be decoded are replaced."""

import numpy as np
from PIL import Image

from negjax.datasets.stored.stored_set import StoredSet
from negjax.errors import NegjaxError
from negjax.input.broken import BrokenRows
from negjax.input.cache import DecodedImages, Entry
from negjax.input.checks import group_size
from negjax.media.decoding import decode
from negjax.media.images import Preprocess, to_pixels
from negjax.media.jpeg import decode_unresized

MOST_REPLACED = 10  # consecutive broken images that are replaced


class RowReader:
    """Reads rows with their images, preprocessed for the model or, if they are cropped later, in full size.

    Images of a set that is small enough are decoded once and kept.
    """

    def __init__(self, data: StoredSet, preprocess: Preprocess, broken: BrokenRows, *, cropped: bool) -> None:
        self._data, self._preprocess, self._broken, self._cropped = data, preprocess, broken, cropped
        bytes_of_image = None if cropped else preprocess.size * preprocess.size * 3
        self._cache = DecodedImages(len(data), bytes_of_image)

    def read(self, index: int) -> Entry:
        """Image and record of a row or, if its image cannot be decoded, of the next row whose image can.

        Rows that share their options are replaced by each other only, because an answer is an index into the options.

        Raises:
            NegjaxError: MOST_REPLACED rows one after the other cannot be decoded, or a whole group.
        """
        if (cached := self._cache.get(index)) is not None:
            return cached
        group = group_size(self._data)
        span = group if group > 1 else len(self._data)
        start, last = index - index % span, min(MOST_REPLACED, span - 1)
        for step in range(last + 1):
            number = start + (index - start + step) % span
            record = self._data[number]
            media = record.pop("media")
            try:
                pixels = self._decode(media, f"{self._data.name} row {record['id']}")
                break
            except NegjaxError as error:
                if step == last:
                    raise NegjaxError(f"{error}, nor can the {step} rows before it: rebuild the set") from error
                self._broken.add(self._data, number, error)
        entry = pixels, record
        self._cache.add(index, entry)
        return entry

    def _decode(self, media: bytes, where: str) -> np.ndarray | Image.Image:
        """uint8 [S, S, 3], preprocessed for the model, or the whole image, which is cropped later."""
        if self._cropped:
            return decode(media, where)
        pixels = decode_unresized(media, self._preprocess)
        return to_pixels(decode(media, where), self._preprocess) if pixels is None else pixels
