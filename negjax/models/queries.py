"""Queries in words, also negated ones, as unit vectors or as scores of images.

Shapes: Q queries, N images, X texts, T tokens, E embedding width.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from negjax.errors import NegjaxError
from negjax.models.architecture import TextConfig
from negjax.models.text import lengths
from negjax.negation.scorer import AnyText, CaptionVectors, SteeredText, caption_vectors
from negjax.negation.table import METHODS, ChosenMethod, choose_method

if TYPE_CHECKING:
    from negjax.models.loaded import LoadedModel

_BATCH = 256  # texts or images encoded at a time


def encode_query(model: "LoadedModel", texts: str | Sequence[str], negation: str) -> np.ndarray:
    """See `LoadedModel.encode_query`."""
    method = _choose(model, negation)
    if method.method is not None and not method.method.is_one_vector:
        raise several_vectors(method.name, "use model.score")
    return _query_vectors(model, texts, method).vector_KCE[0]


def several_vectors(name: str, remedy: str) -> NegjaxError:
    """The error of a method whose queries are several vectors, where one is needed. remedy: another way."""
    single = ", ".join(name for name, each in METHODS.items() if each.is_one_vector)
    return NegjaxError(f"negation {name} scores images with several vectors of a query: {remedy}, or one of {single}")


def score(model: "LoadedModel", queries: str | Sequence[str], images: Any, negation: str) -> np.ndarray:
    """See `LoadedModel.score`."""
    method, image_NE = _choose(model, negation), _embed_images(model, images)
    vectors = _query_vectors(model, queries, method, image_NE)
    image_EN = image_NE.T.astype(np.float64)
    query_Q1 = np.arange(len(vectors.vector_KCE[0]))[:, None]
    return vectors.scores(lambda query_QE: (query_QE @ image_EN).astype(np.float32), query_Q1)


def embed_texts(model: "LoadedModel", texts: Sequence[AnyText]) -> np.ndarray:
    """The embeddings of texts, unit length, float32 [X, E].

    Raises:
        NegjaxError: an embedding is not finite.
    """
    plain = [x for x, text in enumerate(texts) if isinstance(text, str)]
    steered = [x for x, text in enumerate(texts) if isinstance(text, SteeredText)]  # of one method, all alike
    text_XE = np.zeros((len(texts), model.config.embed_dim))
    for chosen in filter(None, (plain, steered)):
        text_XE[chosen] = _encode(model, [texts[x] for x in chosen])
    return _unit(text_XE, "texts")


def _encode(model: "LoadedModel", texts: Sequence[AnyText]) -> np.ndarray:
    """The embeddings of texts that are all plain, or steered alike [X, E]."""
    config, first = model.config.text, texts[0]
    words = [text if isinstance(text, str) else text.text for text in texts]
    token_XT = model.tokenizer(words, config.context_length)
    if not (isinstance(config, TextConfig) and config.sees_padding):  # what follows a text changes nothing
        token_XT = token_XT[:, : _power_of_two(int(lengths(config, token_XT).max()), config.context_length)]
    parts = []
    for start in range(0, len(token_XT), _BATCH):
        token_BT = token_XT[start : start + _BATCH]
        padding = _power_of_two(len(token_BT), _BATCH) - len(token_BT)  # few shapes, few compilations
        padded_BT = np.pad(token_BT, ((0, padding), (0, 0)), mode="edge")
        encoded = model.encode_text(padded_BT) if isinstance(first, str) else model.encode_steered(padded_BT, first)
        parts.append(np.asarray(encoded)[: len(token_BT)])
    return np.concatenate(parts)


def _choose(model: "LoadedModel", negation: str) -> ChosenMethod:
    return choose_method(negation, model.config.family, str(model.info.get("sha256", "")))


def _query_vectors(
    model: "LoadedModel", texts: str | Sequence[str], method: ChosenMethod, image_NE: np.ndarray | None = None
) -> CaptionVectors:
    """The query vectors of texts, for these images; each distinct text is encoded once."""
    from negjax.language.splitter import split  # its patterns are compiled when they are used

    queries = [texts] if isinstance(texts, str) else list(texts)
    if wrong := [text for text in queries if not isinstance(text, str)]:
        raise TypeError(f"queries are strings, not {type(wrong[0]).__name__}")
    if not queries:
        return CaptionVectors((np.zeros((0, model.config.embed_dim), np.float32),))
    scorer = method.scorer(split)
    needed = list(dict.fromkeys(scorer.texts(queries)))
    return caption_vectors(scorer, queries, needed, embed_texts(model, needed), image_NE)


def _embed_images(model: "LoadedModel", images: Any) -> np.ndarray:
    """The embeddings of images, unit length [N, E]: of pixels, or these themselves."""
    array = None if isinstance(images, list | tuple) else np.asarray(images)
    if array is not None and array.ndim == 2:
        if array.shape[1] != model.config.embed_dim:
            raise TypeError(
                f"image embeddings have {array.shape[1]} numbers, those of this model {model.config.embed_dim}"
            )
        return _unit(array, "images")
    parts = [np.asarray(model.encode_image(images[start : start + _BATCH])) for start in range(0, len(images), _BATCH)]
    return _unit(np.concatenate([np.zeros((0, model.config.embed_dim), np.float32), *parts]), "images")


def _unit(x_NE: np.ndarray, noun: str) -> np.ndarray:
    if not np.isfinite(x_NE).all():
        raise NegjaxError(f"embeddings of {noun} are not finite: the weights are damaged, or the precision is too low")
    x_NE = x_NE.astype(np.float64)
    length_N1 = np.linalg.norm(x_NE, axis=1, keepdims=True)
    return (x_NE / np.where(length_N1 == 0, 1, length_N1)).astype(np.float32)


def _power_of_two(size: int, most: int) -> int:
    return min(most, 1 << max(0, size - 1).bit_length())
