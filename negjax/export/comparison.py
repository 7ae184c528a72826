"""The files that were written, run on pictures and captions, and compared with the model itself."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np

from negjax.errors import NegjaxError
from negjax.export.check_inputs import written_captions
from negjax.export.layouts import ExportLayout
from negjax.export.tokenizer_files import load_tokenizer
from negjax.models.loaded import LoadedModel
from negjax.runtime.progress import track_progress

BATCH = 16
# The largest difference of a number of a unit vector, by the type of the weights.
BOUNDS = {"float32": 1e-4, "float16": 1e-2}

Encoder = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ExportComparison:
    """What came of a comparison.

    Attributes:
        pictures: Number of pictures.
        captions: Number of captions.
        image_difference: The largest difference of a number of the images' unit vectors.
        text_difference: Likewise of the captions'.
        other_ids: Captions that the written tokenizer gives other ids.
        images_per_second: Of the written file, and of negjax on the same machine, each in batches of `BATCH`; medians
            over all batches but the first. Empty for fewer than three batches.
    """

    pictures: int
    captions: int
    image_difference: float
    text_difference: float
    other_ids: int
    images_per_second: tuple[float, ...]


def compare(
    model: LoadedModel,
    folder: Path,
    layout: ExportLayout,
    image_encoder: Encoder,
    text_encoder: Encoder,
    pictures: Iterable[np.ndarray],
    captions: Sequence[str],
    count: int,
) -> ExportComparison:
    """Encodes pictures and captions with the written files and with the model.

    Args:
        model: The model, in float32.
        folder: What was written.
        layout: Its layout.
        image_encoder: What the layout's image tower takes -> unit vectors.
        text_encoder: Token ids -> unit vectors.
        pictures: Of the model's pixels, uint8 [S, S, 3].
        captions: Texts.
        count: How many pictures there are.

    Returns:
        The differences.
    """
    image_differences, image_seconds = [], []
    with track_progress(count + len(captions), "comparing with the model") as done:
        for batch in _batches(pictures):
            pixels = np.stack(batch)
            given = layout.inputs(pixels, model.preprocess)
            written, seconds = _timed(image_encoder, given)
            own, own_seconds = _timed(model.encode_pixels, _filled(pixels))
            image_differences.append(_difference(written, own[: len(pixels)]))
            if len(batch) == BATCH:
                image_seconds.append((seconds, own_seconds))
            done(len(batch))
        # The batch is a symbol in the files: one picture alone must give the same.
        image_differences.append(_difference(image_encoder(given[:1]), own[:1]))
        own_ids, text_differences = model.tokenizer(captions), []
        for start in range(0, len(captions), BATCH):
            part = own_ids[start : start + BATCH]
            text_differences.append(_difference(text_encoder(part), _encode_texts(model, part)))
            done(len(part))
    rates = [BATCH / np.array(times) for times in image_seconds[1:]]
    return ExportComparison(
        count,
        len(captions),
        _largest(image_differences),
        _largest(text_differences),
        len(_other_ids(model, folder / layout.tokenizer_folder, captions)),
        tuple(statistics.median(column) for column in zip(*rates)) if len(rates) > 1 else (),
    )


def check_tokenizer(model: LoadedModel, folder: Path) -> None:
    """Raises NegjaxError unless the tokenizer of a folder gives the ids of the model's own, on `written_captions`."""
    captions = written_captions()
    if other := _other_ids(model, folder, captions):
        raise NegjaxError(
            f"nothing is written: tokenizer.json gives {captions[other[0]]!r} other ids than negjax: please report the "
            "tokenizer of this model"
        )


def check(comparison: ExportComparison, dtype: str) -> None:
    """Raises NegjaxError unless the differences are within the bound; not-a-number is beyond any."""
    for what, difference in (("images", comparison.image_difference), ("captions", comparison.text_difference)):
        if not difference <= BOUNDS[dtype]:
            raise NegjaxError(
                f"nothing is written: the unit vectors of {what} differ from negjax's by up to {difference:.1e}, more "
                f"than the {BOUNDS[dtype]:.0e} of {dtype}"
                + (": use --dtype float32" if dtype == "float16" else ": please report this model")
            )


def _batches(pictures: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    iterator = iter(pictures)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _filled(pixels_BHWC: np.ndarray) -> np.ndarray:
    """A batch of full length, by repeating the last picture: negjax compiles one size."""
    return np.concatenate([pixels_BHWC, pixels_BHWC[-1:].repeat(BATCH - len(pixels_BHWC), axis=0)])


def _encode_texts(model: LoadedModel, text_BT: np.ndarray) -> np.ndarray:
    filled = np.concatenate([text_BT, text_BT[-1:].repeat(BATCH - len(text_BT), axis=0)])
    return np.asarray(model.encode_tokens(filled))[: len(text_BT)]


def _timed(encode: Callable[[np.ndarray], Any], inputs: np.ndarray) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    outputs = np.asarray(jax.block_until_ready(encode(inputs)))
    return outputs, time.perf_counter() - start


def _difference(written_BE: np.ndarray, own_BE: np.ndarray) -> float:
    """The largest difference of the written file's vectors from the unit vectors of the model's, in float64."""
    own_BE = own_BE.astype(np.float64)
    unit_BE = own_BE / np.linalg.norm(own_BE, axis=1, keepdims=True)
    return float(np.abs(written_BE - unit_BE).max())


def _largest(differences: list[float]) -> float:
    """The largest, not-a-number where there is one."""
    return float(np.max(differences))


def _other_ids(model: LoadedModel, folder: Path, captions: Sequence[str]) -> list[int]:
    """The indices of the captions to which the tokenizer of a folder gives other ids."""
    own_NT = model.tokenizer(captions)
    tokenizer = load_tokenizer(folder, own_NT.shape[1])
    ids_NT = np.array([tokenizer.encode(caption).ids for caption in captions], np.int32)
    strip_id = getattr(model.tokenizer, "strip_id", None)
    if strip_id is not None:  # by the text tower
        ids_NT[ids_NT == strip_id] = 0
    return np.flatnonzero((ids_NT != own_NT).any(axis=1)).tolist()
