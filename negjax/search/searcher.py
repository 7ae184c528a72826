"""Searches an index with a model.

A score is the method's with the query in words, plus the cosine with each picture that results should be like, less
half of that with each picture that they should not be like, times the strength of exclusion.
Shapes: N files of the index, E embedding width.
"""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from negjax.errors import NegjaxError
from negjax.evaluation.media import VideoSampling
from negjax.language.splitter import split
from negjax.media.arguments import ImageArgument, open_image
from negjax.media.images import to_pixels
from negjax.models.loaded import LoadedModel
from negjax.models.queries import embed_texts, several_vectors
from negjax.negation.prompts import affirmed_text
from negjax.negation.scorer import AnyText, CaptionVectors, CosineScorer, Scorer, caption_vectors
from negjax.negation.table import NO_METHOD, ChosenMethod, choose_method
from negjax.search.build import check_model, describe_model
from negjax.search.exact import score_all
from negjax.search.index_folder import FileIndex
from negjax.search.request import SearchRequest
from negjax.search.stores.table import open_store

WORDY = "an old black and white photograph of a long street in the rain, without people or cars in it"
KEPT_TEXTS = 4096  # whose embeddings are kept: a chip, or the slider, asks with the same ones again
VANISHED = 1e-6  # the length of a sum of unit vectors, in float32, of which nothing is left
UNLIKE_SHARE = 0.5  # of the cosine with a picture to avoid, which images share with all others to a large part


class _Several(NamedTuple):
    """The vectors of a query that a method scores with several, and the weight of these scores."""

    vectors: CaptionVectors
    weight: np.float32


@dataclass
class Searcher:
    """An index and the model that made it. Safe to use in several threads.

    Attributes:
        index: the index.
        model: the model.
    """

    index: FileIndex
    model: LoadedModel
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _kept: dict[AnyText, np.ndarray] = field(default_factory=dict, repr=False)  # embeddings of texts, oldest first

    def __post_init__(self) -> None:
        """Raises NegjaxError where the index is of another model."""
        check_model(self.index, describe_model(self.model, VideoSampling(**self.index.info.model["video"])))

    def method(self, negation: str) -> ChosenMethod:
        """The method of this name with its constants for the model.

        Raises:
            NegjaxError: it is unknown.
        """
        return choose_method(negation, self.model.config.family, str(self.model.info.get("sha256", "")))

    def warm_up(self, methods: Sequence[str], stopping: threading.Event | None = None) -> None:
        """Embeds queries of the usual lengths once, so that their programs are compiled; searches do not wait for it.

        Args:
            methods: the methods for which this is done.
            stopping: ends it early.

        Raises:
            NegjaxError: one is unknown.
        """
        for name in methods:
            scorer = self.method(name).scorer(split)
            for query in ("a cat", "a cat but no dog", "a cat with no dog, no people, no car", WORDY):
                if stopping is not None and stopping.is_set():
                    return
                embed_texts(self.model, list(dict.fromkeys(scorer.texts([query]))))

    def embed_image(self, image: ImageArgument) -> np.ndarray:
        """The embedding of a picture, unit length [E].

        Raises:
            NegjaxError: it cannot be decoded.
        """
        pixels_1HWC = to_pixels(open_image(image), self.model.preprocess)[None]
        vector_E = np.asarray(self.model.encode_image(pixels_1HWC), np.float64)[0]
        return (vector_E / np.linalg.norm(vector_E)).astype(np.float32)

    def scores(self, request: SearchRequest) -> np.ndarray:
        """The scores of all files, float32 [N].

        Raises:
            NegjaxError: the method is unknown, or a store has the vectors.
        """
        vector_NE = self.index.vector_NE
        vector_E, several = self._query_vectors(request)
        if several is None:
            return score_all(vector_NE, CaptionVectors((vector_E[None],)))
        score_N = several.weight * score_all(vector_NE, several.vectors)
        return score_N + score_all(vector_NE, CaptionVectors((vector_E[None],))) if vector_E.any() else score_N

    def nearest(self, request: SearchRequest, count: int) -> list[tuple[str, float]]:
        """The paths and scores of the best files of an index whose vectors are in a store, which searches.

        Raises:
            NegjaxError: the store cannot be reached, the method is unknown or takes several vectors, or nothing is
                left of what is asked.
        """
        info, address = self.index.info, self.index.store_address()
        assert address is not None
        vector_E, several = self._query_vectors(request)
        if several is not None:
            raise several_vectors(self.method(request.negation).name, "a store takes one: use an index without --store")
        length = float(np.linalg.norm(vector_E))
        if length < VANISHED:
            raise NegjaxError("what is asked and what is excluded cancel out: ask for something else")
        with closing(open_store(address, info.folder, info.model, info.width, create=False)) as store:
            return [(path, cosine * length) for path, cosine in store.nearest(vector_E / length, count)]

    def _query_vectors(self, request: SearchRequest) -> tuple[np.ndarray, _Several | None]:
        """A vector whose product with each file is a part of its score [E], and what gives the rest; None for none."""
        vector_E = np.zeros(self.index.info.width, np.float32)
        for pictures, weight in ((request.like, 1.0), (request.unlike, -UNLIKE_SHARE * request.strength)):
            for picture_E in pictures:
                vector_E += np.float32(weight) * picture_E
        query = request.query
        if query is None:
            return vector_E, None
        vectors = self._vectors(self.method(request.negation).scorer(lambda caption: query), query.caption)
        strength = np.float32(request.strength if query.negated and request.negation != NO_METHOD else 1)
        if strength != 1:
            vector_E += (1 - strength) * self._vectors(CosineScorer(), affirmed_text(query)).vector_KCE[0][0]
        if len(vectors.vector_KCE) > 1:
            return vector_E, _Several(vectors, strength)
        # Without images the score of a method of one vector is a multiple of the cosine.
        scale = 1.0 if vectors.combine is None else float(vectors.combine(np.ones((1, 1)), np.zeros(1, np.int64))[0])
        return vector_E + np.float32(strength * scale) * vectors.vector_KCE[0][0], None

    def _vectors(self, scorer: Scorer, caption: str) -> CaptionVectors:
        # Of a scorer that reads images the vectors are made without them: one query's ranking does not depend on them.
        texts: list[AnyText] = list(dict.fromkeys(scorer.texts([caption])))
        with self._lock:  # one program at a time on the devices
            missing = [text for text in texts if text not in self._kept]
            if missing:
                self._kept |= zip(missing, embed_texts(self.model, missing))
            text_XE = np.stack([self._kept[text] for text in texts])
            for text in list(self._kept)[: max(0, len(self._kept) - KEPT_TEXTS)]:
                del self._kept[text]
        return caption_vectors(scorer, [caption], texts, text_XE)
