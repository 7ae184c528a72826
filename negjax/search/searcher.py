"""Searches an index with a model.

A score is the method's with the query in words, plus the cosine with each picture that results should be like, less
half of that with each picture that they should not be like, times the strength of exclusion.
Shapes: N files of the index, E embedding width.
"""

import threading
from dataclasses import dataclass, field

import numpy as np

from negjax.evaluation.media import VideoSampling
from negjax.language.parsed import Parsed
from negjax.language.splitter import split
from negjax.media.arguments import ImageArgument, open_image
from negjax.media.images import to_pixels
from negjax.models.loaded import LoadedModel
from negjax.models.queries import embed_texts
from negjax.negation.prompts import affirmed_text
from negjax.negation.scorer import AnyText, CaptionVectors, CosineScorer, Scorer, caption_vectors
from negjax.negation.table import NO_METHOD, ChosenMethod, choose_method
from negjax.search.build import check_model, describe_model
from negjax.search.exact import score_all
from negjax.search.index_folder import FileIndex
from negjax.search.request import SearchRequest

WORDY = "an old black and white photograph of a long street in the rain, without people or cars in it"
UNLIKE_SHARE = 0.5  # of the cosine with a picture to avoid, which images share with all others to a large part


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

    def __post_init__(self) -> None:
        """Raises NegjaxError where the index is of another model."""
        check_model(self.index, describe_model(self.model, VideoSampling(**self.index.info.model["video"])))

    def method(self, negation: str) -> ChosenMethod:
        """The method of this name with its constants for the model.

        Raises:
            NegjaxError: it is unknown.
        """
        return choose_method(negation, self.model.config.family, str(self.model.info.get("sha256", "")))

    def warm_up(self, negation: str) -> None:
        """Searches once for queries of the usual lengths, so that their programs are compiled. Raises as `scores`."""
        for query in ("a cat", "a cat but no dog", "a cat with no dog, no people, no car", WORDY):
            for method in dict.fromkeys((negation, NO_METHOD)):
                self._vectors(self.method(method).scorer(split), query)

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
            NegjaxError: the method is unknown.
        """
        vector_NE = self.index.vector_NE
        score_N = np.zeros(len(vector_NE), np.float32)
        if request.query is not None:
            score_N += self._text_scores(request.query, request.negation, request.strength)
        for vectors, weight in ((request.like, 1.0), (request.unlike, -UNLIKE_SHARE * request.strength)):
            for vector_E in vectors:
                score_N += weight * score_all(vector_NE, CaptionVectors((vector_E[None],)))
        return score_N

    def _text_scores(self, query: Parsed, negation: str, strength: float) -> np.ndarray:
        scorer = self.method(negation).scorer(lambda caption: query)
        score_N = score_all(self.index.vector_NE, self._vectors(scorer, query.caption))
        if negation == NO_METHOD or not query.negated or strength == 1:
            return score_N
        asked = self._vectors(CosineScorer(), affirmed_text(query))
        asked_N = score_all(self.index.vector_NE, asked)
        return asked_N + np.float32(strength) * (score_N - asked_N)

    def _vectors(self, scorer: Scorer, caption: str) -> CaptionVectors:
        # Of a scorer that reads images the vectors are made without them: one query's ranking does not depend on them.
        texts: list[AnyText] = list(dict.fromkeys(scorer.texts([caption])))
        with self._lock:  # one program at a time on the devices
            text_XE = embed_texts(self.model, texts)
        return caption_vectors(scorer, [caption], texts, text_XE)
