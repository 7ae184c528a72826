"""Checks that images and clips can be decoded, before anything is written."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from negjax.datasets.sources.boxes import BoxXYWH
from negjax.datasets.sources.crops import corners
from negjax.datasets.sources.rows import MediaFile, is_video
from negjax.errors import NegjaxError
from negjax.media.decoding import decode
from negjax.media.video import read_frames
from negjax.runtime.progress import track_progress

CHECKED_FRAMES = 4  # of a clip, as many as NegBench reads


def find_broken(
    media: Mapping[str, MediaFile],
    boxes: Mapping[str, Sequence[tuple[int, BoxXYWH]]],
    source: str,
    progress: bool,
) -> dict[str, str]:
    """Decodes images and clips, in several threads.

    Args:
        media: Images and clips by path.
        boxes: Path -> the boxes that rows refer to, each with the index of its row.
        source: Name of the source in errors.
        progress: Whether to show progress.

    Returns:
        Path of each image or clip that cannot be decoded -> the reason.

    Raises:
        NegjaxError: A box is outside its image.
    """
    threads = ThreadPoolExecutor(os.cpu_count())
    faults = {}
    try:
        with track_progress(len(media), "checking media", progress) as done:
            checked = threads.map(lambda path: _check(path, media[path], boxes.get(path, ()), source), media)
            for path, fault in zip(media, checked):
                if fault:
                    faults[path] = fault
                done(1)
    finally:
        threads.shutdown(cancel_futures=True)  # otherwise Ctrl-C would wait for all of them
    return faults


def media_fault(media: MediaFile, path: str) -> str:
    """Decodes an image or clip.

    Args:
        media: The image or clip.
        path: Its path; the suffix tells clips from images.

    Returns:
        Why it cannot be decoded, "" if it can.
    """
    return _check(path, media, (), "")


def _check(path: str, media: MediaFile, boxes: Sequence[tuple[int, BoxXYWH]], source: str) -> str:
    """Why an image or clip cannot be decoded, "" if it can; raises NegjaxError for a box outside it."""
    try:
        image = _decode(path, media)
    except (NegjaxError, OSError) as error:
        return str(error)
    if image is None:
        return ""
    for row, box in boxes:
        try:
            corners(box, *image.size)
        except ValueError as error:
            raise NegjaxError(f"{source} row {row}: {error}") from error
    return ""


def _decode(path: str, media: MediaFile) -> Image.Image | None:
    """The image; None for a clip."""
    data = media.read_bytes()
    if is_video(path):
        read_frames(data, CHECKED_FRAMES, str(media))
        return None
    return decode(data, str(media))
