"""Small pictures of a set's media, each distinct one once."""

import base64
import io
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from negjax.datasets.stored.reading import StoredSet
from negjax.media.images import decode
from negjax.media.video import read_frames

SIDE = 112  # pixels of the longer side
QUALITY = 80  # of WebP: 2 to 3 kB a photograph


def thumbnails(data: StoredSet, rows: Mapping[str, int], done: Callable[[int], None]) -> dict[str, str]:
    """A WebP in base64 for each key of `rows` (a media_sha256), made of the row it points to.

    done: called with 1 after each. Raises NegjaxError for an image or a clip that cannot be read.
    """
    made = {}
    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        for key, picture in zip(rows, threads.map(lambda row: _thumbnail(data, row), rows.values())):
            made[key] = picture
            done(1)
    finally:
        threads.shutdown(cancel_futures=True)
    return made


def _thumbnail(data: StoredSet, row: int) -> str:
    record = data[row]
    image = _image(data, record["media"], f"set {data.name}, row {record['id']}")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    return base64.b64encode(content.getvalue()).decode()


def _image(data: StoredSet, media: bytes, where: str) -> Image.Image:
    """The image, or the middle frame of a clip."""
    if data.metadata.get("media_type") == "video":
        return read_frames(media, 1, where)[0]
    return decode(media, where)
