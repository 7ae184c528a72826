"""All embeddings of an evaluation, read from the cache, or computed and added to it.

Captions become token ids here; texts of equal ids are embedded once, so that they tie exactly.
Shapes: D distinct media (images first, then clips), X texts, U texts of distinct token ids, T tokens, E embedding
width, N of any of these.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.embed.cache import EmbeddingCache, content_key, model_key
from negjax.evaluation.embed.encode import EncodedBatches, encode_media, encode_texts, model_on_devices
from negjax.evaluation.embed.vectors import distinct_rows
from negjax.evaluation.eval_data import EvalData, TokenRows
from negjax.evaluation.media import DistinctMedia
from negjax.models.loaded import LoadedModel
from negjax.negation.scorer import AnyText, Directions, SteeredText
from negjax.runtime.distributed import broadcast_from_first, check_agreement, is_first_process
from negjax.runtime.progress import track_progress


def embed(
    model: LoadedModel,
    data: EvalData,
    texts: Sequence[AnyText],
    batch_size: int,
    *,
    cache_dir: epath.PathLike | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Embeds all media of the data, and texts. In a run of several processes all must call it; all get the result.

    Args:
        model: the model to embed with.
        data: the images and clips to embed.
        texts: distinct texts, usually the data's captions. Where these come first, their embeddings do not depend on
            what follows, to the bit.
        batch_size: frames, and captions, in a batch over all devices.
        cache_dir: folder of the cache, which only the first process uses; None for no cache.
        progress: show bars.

    Returns:
        Embeddings of unit length of the media [D, E] and of the texts [X, E], float32.

    Raises:
        NegjaxError: an embedding is not finite; media cannot be decoded; processes have different data, settings or,
            where there is a cache, models.
    """
    plain = [text for text in texts if isinstance(text, str)]
    token_UT, index_X = _distinct_tokens(model, data, plain)
    check_agreement(_fingerprint(data, token_UT), "data")
    settings = [batch_size, data.images.settings, data.clips.settings]
    check_agreement(content_key("", settings), "a batch size, frames or preprocessing")
    key = model_key(model) if cache_dir is not None else ""
    check_agreement(key, "a model")
    if not is_first_process():
        cache_dir = None
    model = model_on_devices(model)
    progress = progress and is_first_process()
    width = model.config.embed_dim
    media_parts = []
    for media, noun in ((data.images, "image"), (data.clips, "clip")):
        if media.origins:
            cache = EmbeddingCache(cache_dir, content_key(key, media.settings))

            def encode(index_N: np.ndarray, media: DistinctMedia = media) -> EncodedBatches:
                return encode_media(model, media, index_N, batch_size)

            def name_media(index: int, media: DistinctMedia = media, noun: str = noun) -> str:
                return f"the {noun} in {media.origins[index]}"

            media_parts.append(_embed(media.keys, encode, cache, width, noun, name_media, progress))
    begins_with_captions = plain[: len(data.captions)] == data.captions
    first = int(index_X[: len(data.captions)].max(initial=-1)) + 1 if begins_with_captions else 0
    token_keys = [hashlib.sha256(row.tobytes()).hexdigest() for row in token_UT]

    def encode_captions(index_N: np.ndarray) -> EncodedBatches:
        for index_B in (index_N[index_N < first], index_N[index_N >= first]):  # each in batches of their own
            if len(index_B):
                yield from encode_texts(model, token_UT, index_B, batch_size)

    def name_text(index: int) -> str:
        return _name_text(data, plain[int(np.argmax(index_X == index))])

    cache = EmbeddingCache(cache_dir, content_key(key, "text"))
    text_UE = _embed(token_keys, encode_captions, cache, width, "caption", name_text, progress)
    text_XE = text_UE if len(text_UE) == len(plain) else text_UE[index_X]
    if len(plain) < len(texts):
        steered_XE = _embed_steered(model, data, texts, batch_size, cache_dir, key, progress)
        is_plain_X = np.array([isinstance(text, str) for text in texts])
        steered_XE[is_plain_X] = text_XE
        text_XE = steered_XE
    return np.concatenate(media_parts), text_XE


def _embed_steered(
    model: LoadedModel,
    data: EvalData,
    texts: Sequence[AnyText],
    batch_size: int,
    cache_dir: epath.PathLike | None,
    key: str,
    progress: bool,
) -> np.ndarray:
    """The embeddings of steered texts [X, E]; those of the others are not computed."""
    text_XE = np.zeros((len(texts), model.config.embed_dim), np.float32)
    by_steering: dict[tuple[float, Directions], list[int]] = {}
    for index, text in enumerate(texts):
        if isinstance(text, SteeredText):
            by_steering.setdefault((text.strength, text.directions), []).append(index)
    for (strength, directions), chosen in by_steering.items():
        steered = [text for index in chosen if isinstance(text := texts[index], SteeredText)]
        token_NT = model.tokenizer([text.text for text in steered], model.config.text.context_length)
        first_U, index_N = distinct_rows(token_NT)
        cache = EmbeddingCache(cache_dir, content_key(key, [strength, directions.rows]))
        encode = partial(encode_texts, model, token_NT[first_U], batch_size=batch_size, steered=steered[0])

        def name(index: int, steered: list[SteeredText] = steered, first_U: np.ndarray = first_U) -> str:
            return _name_text(data, steered[first_U[index]].text)

        keys = [hashlib.sha256(row.tobytes()).hexdigest() for row in token_NT[first_U]]
        text_UE = _embed(keys, encode, cache, model.config.embed_dim, "steered caption", name, progress)
        text_XE[chosen] = text_UE[index_N]
    return text_XE


def _distinct_tokens(model: LoadedModel, data: EvalData, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of token ids [U, T] of texts, and for each text its row among them [X]."""
    length = model.config.text.context_length
    rows = data.tokens
    if rows is None or rows.tokenizer is not model.tokenizer or rows.token_UT.shape[1] != length or rows.texts != texts:
        token_XT = model.tokenizer(texts, length) if texts else np.zeros((0, length), np.int32)
        first_U, index_X = distinct_rows(token_XT)
        rows = data.tokens = TokenRows(model.tokenizer, texts, token_XT[first_U], index_X)
    return rows.token_UT, rows.index_X


def _fingerprint(data: EvalData, token_UT: np.ndarray) -> str:
    """sha256 of everything that is embedded, in order, to compare the processes of a run."""
    names = "\n".join([*data.images.keys, *data.clips.keys, *(task.name for task in data.tasks)])
    return hashlib.sha256(names.encode() + token_UT.tobytes()).hexdigest()


def _name_text(data: EvalData, text: str) -> str:
    """The name of a text in messages: its row, if it is a caption of the data."""
    if text in data.captions:
        return f"the caption in {data.caption_origins[data.captions.index(text)]}"
    return f"the text {text!r}"


def _embed(
    keys: Sequence[str],
    encode: Callable[[np.ndarray], EncodedBatches],
    cache: EmbeddingCache,
    width: int,
    noun: str,
    name: Callable[[int], str],
    progress: bool,
) -> np.ndarray:
    """Embeddings of all keys in order [N, E]; those that are missing in the cache are computed and added to it."""
    # Arrays from another process are read-only, and are copied.
    cached_N, embedding_NE = (
        np.require(array, requirements="W")
        for array in broadcast_from_first(cache.find(keys, width))  # type: ignore[attr-defined]
    )
    missing = np.flatnonzero(~cached_N)
    with track_progress(len(missing), f"{noun}s", progress and len(missing) > 0) as done:
        try:
            for index_B, vector_BE in encode(missing) if len(missing) else ():
                _check_finite(vector_BE, index_B, name)
                embedding_NE[index_B] = vector_BE
                cache.add([keys[i] for i in index_B], vector_BE)
                done(len(index_B))
        finally:
            cache.flush()
    return embedding_NE


def _check_finite(vector_BE: np.ndarray, index_B: np.ndarray, name: Callable[[int], str]) -> None:
    bad = np.flatnonzero(~np.isfinite(vector_BE).all(axis=1))
    if len(bad):
        raise NegjaxError(
            f"the model's embedding of {name(int(index_B[bad].min()))} is not finite ({len(bad)} of {len(index_B)} in "
            "its batch): its weights are damaged, or its numbers overflow in this precision"
        )
