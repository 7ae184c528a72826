"""All embeddings that a plan needs: from the cache, or from the model and into the cache.

Shapes: D distinct media (images first, then clips), C distinct captions, E embedding width.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from negjax.errors import NegjaxError
from negjax.evaluation.embed.cache import Cache, content_key, model_key
from negjax.evaluation.embed.encode import Embedded, encode_media, encode_texts, placed
from negjax.evaluation.plan import Media, Origin, Plan
from negjax.models.loaded import LoadedModel
from negjax.runtime.distributed import broadcast_from_first, check_agreement, is_first_process
from negjax.runtime.progress import track_progress


def embed(
    model: LoadedModel, plan: Plan, batch_size: int, *, cache_dir: epath.PathLike | None = None, progress: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of unit length of all of the plan's media [D, E] and captions [C, E], float32.

    batch_size: frames, and captions, in a batch over all devices. cache_dir: where embeddings are kept and looked for.
    Every process of several must call it, and gets all embeddings; the first alone reads and writes the cache. Raises
    NegjaxError for an embedding that is not finite, for media that cannot be decoded, and for processes that have
    different data, settings or, where there is a cache, models.
    """
    check_agreement(plan.fingerprint, "data")
    check_agreement(
        content_key("", [batch_size, plan.images.said, plan.clips.said]), "a batch size, frames or preprocessing"
    )
    key = model_key(model) if cache_dir is not None else ""
    check_agreement(key, "a model")
    if not is_first_process():
        cache_dir = None
    model = placed(model)
    progress = progress and is_first_process()
    parts, width = [], model.config.embed_dim
    for media, what in ((plan.images, "image"), (plan.clips, "clip")):
        if media.sources:
            cache = Cache(cache_dir, content_key(key, media.said))

            def encode(places: np.ndarray, media: Media = media) -> Embedded:
                return encode_media(model, media, places, batch_size)

            parts.append(_embed(media.keys, media.sources, encode, cache, width, what, progress))
    token_keys = [hashlib.sha256(row.tobytes()).hexdigest() for row in plan.token_CT]

    def encode_captions(places: np.ndarray) -> Embedded:
        return encode_texts(model, plan.token_CT, places, batch_size)

    cache = Cache(cache_dir, content_key(key, "text"))
    caption_CE = _embed(token_keys, plan.captions, encode_captions, cache, width, "caption", progress)
    return np.concatenate(parts), caption_CE


def _embed(
    keys: Sequence[str],
    sources: list[Origin],
    encode: Callable[[np.ndarray], Embedded],
    cache: Cache,
    width: int,
    what: str,
    progress: bool,
) -> np.ndarray:
    """Embeddings of all keys in order."""
    found = broadcast_from_first(cache.find(keys, width))
    # what comes from another process may not be written to: then it is copied
    known_N, embedding_NE = (np.require(each, requirements="W") for each in found)  # type: ignore[attr-defined]
    missing = np.flatnonzero(~known_N)
    with track_progress(len(missing), f"{what}s", progress and len(missing) > 0) as done:
        try:
            for places, vectors in encode(missing) if len(missing) else ():
                _check_finite(vectors, [sources[i] for i in places], what)
                embedding_NE[places] = vectors
                cache.add([keys[i] for i in places], vectors)
                done(len(places))
        finally:
            cache.flush()
    return embedding_NE


def _check_finite(embedding_NE: np.ndarray, sources: list[Origin], what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(embedding_NE).all(axis=1))
    if len(bad):
        raise NegjaxError(
            f"the model's embedding of the {what} in {sources[bad[0]]} is not finite ({len(bad)} of {len(sources)} in "
            "its batch): its weights are damaged, or its numbers overflow in this precision"
        )
