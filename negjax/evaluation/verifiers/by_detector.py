"""Claims checked by an open-vocabulary detector: an object is there if a patch scores above the threshold for it.

Shapes: B images of a batch, S image size, Q queries of an image, E width of a query.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from negjax.datasets.synth.shards import StageRow
from negjax.datasets.synth.verify import FoundBox, Verdict, claimed_names, refuted_claims
from negjax.errors import NegjaxError
from negjax.evaluation.verifiers.photos import Photos
from negjax.language.phrases import with_article
from negjax.models.loaded_detector import LoadedDetector, on_devices
from negjax.runtime.mesh import put_batch

_FEWEST_QUERIES = 8  # queries of an image are filled up to this, or a larger power of two: few shapes are compiled
_IN_FLIGHT = 1  # batches that are dispatched but not fetched while the next is prepared


class _Photo(NamedTuple):
    pixels_SSC: np.ndarray
    width: int
    height: int


class DetectorVerifier:
    """Checks absent and present objects of images. A text is embedded once for all images, as "a photo of a dog"."""

    def __init__(
        self, detector: LoadedDetector, photos: Photos, *, threshold: float = 0.1, batch_size: int = 8
    ) -> None:
        """Puts the detector on all devices of this process, which share batches.

        Args:
            detector: the detector.
            photos: the images.
            threshold: score above which an object is there.
            batch_size: images at a time, over all devices.

        Raises:
            NegjaxError: the threshold is no score, or the batch is empty.
        """
        if not 0 < threshold < 1:
            raise NegjaxError(f"--threshold {threshold:g}: it is a score, above 0 and below 1")
        if batch_size < 1:
            raise NegjaxError(f"--batch-size {batch_size}: give 1 or more")
        self._detector, self._photos, self._threshold = on_devices(detector), photos, threshold
        assert self._detector.mesh is not None
        self._mesh = self._detector.mesh
        self._batch = -(-batch_size // self._mesh.size) * self._mesh.size
        self._query_of: dict[str, np.ndarray] = {}
        self.name = f"{detector.info['arch']} above {threshold:g}"
        self.settings = {
            "sha256": detector.info["sha256"],
            "threshold": threshold,
            "skip_missing": photos.skip_missing,
        }

    def check(self, rows: Sequence[StageRow]) -> list[Verdict]:
        """See `Verifier`. An image that is left out keeps none of its claims."""
        names_of = [claimed_names(row) for row in rows]
        self._embed(list(dict.fromkeys(name for names in names_of for name in names)))
        verdicts = [Verdict(set()) for _ in rows]
        asked = [index for index, names in enumerate(names_of) if names]
        most = max((len(names_of[index]) for index in asked), default=1)
        queries = max(_FEWEST_QUERIES, 1 << (most - 1).bit_length())
        for index, photo, score_Q, box_Q4 in self._search(rows, names_of, asked, queries):
            if photo is None:
                verdicts[index] = Verdict(set(names_of[index]))
            else:
                verdicts[index] = self._judge(rows[index], names_of[index], photo, score_Q, box_Q4)
        return verdicts

    def _judge(
        self, row: StageRow, names: Sequence[str], photo: _Photo, score_Q: np.ndarray, box_Q4: np.ndarray
    ) -> Verdict:
        count = len(names)
        corner_N4 = self._detector.to_image_boxes(box_Q4[:count], photo.width, photo.height)
        seen = {
            name: FoundBox(name, float(score), *map(float, corner_4))
            for name, score, corner_4 in zip(names, score_Q[:count], corner_N4)
            if score > self._threshold
        }
        return Verdict(refuted_claims(row, seen.keys()), list(seen.values()))

    def _embed(self, names: Sequence[str]) -> None:
        """Embeds the names that no shard before had."""
        if new := [name for name in names if name not in self._query_of]:
            texts = [f"a photo of {with_article(name)}" for name in new]
            self._query_of |= dict(zip(new, self._detector.encode_queries(texts)))

    def _search(
        self, rows: Sequence[StageRow], names_of: Sequence[Sequence[str]], asked: Sequence[int], queries: int
    ) -> Iterator[tuple[int, _Photo | None, np.ndarray, np.ndarray]]:
        """For each image its index, the photograph, and the score [Q] and box [Q, 4] of each query."""
        waiting: deque[tuple[Sequence[int], list[_Photo | None], Any]] = deque()
        batches = self._photos.batches([rows[index]["filepath"] for index in asked], self._batch, self._prepare)
        for start, photos in zip(range(0, len(asked), self._batch), batches):
            chosen = asked[start : start + self._batch]
            waiting.append((chosen, photos, self._dispatch(photos, [names_of[index] for index in chosen], queries)))
            if len(waiting) > _IN_FLIGHT:
                yield from _fetch(*waiting.popleft())
        while waiting:
            yield from _fetch(*waiting.popleft())

    def _prepare(self, image: Image.Image) -> _Photo:
        return _Photo(self._detector.to_pixels(image), image.width, image.height)

    def _dispatch(
        self, photos: Sequence[_Photo | None], names_of: Sequence[Sequence[str]], queries: int
    ) -> tuple[jax.Array, jax.Array]:
        config = self._detector.config
        size, dtype = config.vision.image_size, np.float32 if config.pads else np.uint8
        pixels_BSSC = np.zeros((self._batch, size, size, 3), dtype)
        query_BQE = np.zeros((self._batch, queries, config.clip.embed_dim), np.float32)
        for b, (photo, names) in enumerate(zip(photos, names_of)):
            if photo is not None:
                pixels_BSSC[b] = photo.pixels_SSC
                query_BQE[b, : len(names)] = [self._query_of[name] for name in names]
        return self._detector.find_best(*put_batch(self._mesh, (pixels_BSSC, query_BQE)))


def _fetch(
    chosen: Sequence[int], photos: Sequence[_Photo | None], found: tuple[jax.Array, jax.Array]
) -> Iterator[tuple[int, _Photo | None, np.ndarray, np.ndarray]]:
    score_BQ, box_BQ4 = (np.asarray(array) for array in found)
    if not np.isfinite(score_BQ).all():
        raise NegjaxError("the detector's scores are not finite: its weights are damaged, or its numbers overflow")
    yield from zip(chosen, photos, score_BQ, box_BQ4)
