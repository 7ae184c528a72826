"""Small pictures of a set's media, as texts to put into the page."""

import base64
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from negjax.datasets.stored.stored_set import StoredSet
from negjax.media.thumbnails import picture_of, to_webp

MAX_SIDE = 112  # pixels of the longer side


def make_thumbnails(
    dataset: StoredSet, row_by_key: Mapping[str, int], advance: Callable[[int], None]
) -> dict[str, str]:
    """Makes a thumbnail of each of these rows.

    Args:
        dataset: The set.
        row_by_key: Row index by key (a media_sha256, say).
        advance: Called with 1 after each.

    Returns:
        A WebP in base64 by key.

    Raises:
        NegjaxError: An image or a clip cannot be read.
    """
    thumbnails = {}
    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        webps = threads.map(lambda row_index: _thumbnail(dataset, row_index), row_by_key.values())
        for key, webp in zip(row_by_key, webps):
            thumbnails[key] = webp
            advance(1)
    finally:
        threads.shutdown(cancel_futures=True)
    return thumbnails


def _thumbnail(dataset: StoredSet, row_index: int) -> str:
    record = dataset[row_index]
    is_clip = dataset.metadata.get("media_type") == "video"
    picture = picture_of(record["media"], f"set {dataset.name}, row {record['id']}", is_clip=is_clip)
    return base64.b64encode(to_webp(picture, MAX_SIDE)).decode()
