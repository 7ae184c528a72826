"""Small pictures of a set's media, as texts to put into the page."""

import base64
import io
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from negjax.datasets.stored.stored_set import StoredSet
from negjax.media.decoding import decode, to_rgb
from negjax.media.video import read_frames

MAX_SIDE = 112  # pixels of the longer side
WEBP_QUALITY = 80  # 2 to 3 kB a photograph


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
    image = _read_image(dataset, record["media"], f"set {dataset.name}, row {record['id']}")
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=WEBP_QUALITY, method=4)
    return base64.b64encode(content.getvalue()).decode()


def _read_image(dataset: StoredSet, media: bytes, where: str) -> Image.Image:
    """The image, or the middle frame of a clip."""
    if dataset.metadata.get("media_type") == "video":
        return read_frames(media, 1, where)[0]
    return to_rgb(decode(media, where))
