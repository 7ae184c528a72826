"""Checks that images and clips can be decoded, before anything is written."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from negjax.datasets.sources.boxes import BoxXYWH
from negjax.datasets.sources.crops import corners
from negjax.datasets.sources.rows import MediaFile, read_media
from negjax.errors import NegjaxError
from negjax.media.decoding import decode
from negjax.media.video import read_frames
from negjax.runtime.progress import track_progress

logger = logging.getLogger(__name__)

CHECKED_FRAMES = 4  # of a clip, as many as NegBench reads


def find_broken(
    media: Mapping[str, MediaFile],
    media_type: str,
    boxes: Mapping[str, Sequence[tuple[int, BoxXYWH]]],
    source: str,
    progress: bool,
) -> dict[str, str]:
    """Decodes images or clips, in several threads. Warns of animations among images.

    Args:
        media: The images or clips by path.
        media_type: "image" or "video".
        boxes: Path -> the boxes that rows refer to, each with the index of its row.
        source: Name of the source in errors.
        progress: Whether to show progress.

    Returns:
        Path of each image or clip that cannot be decoded -> the reason.

    Raises:
        NegjaxError: A box is outside its image.
    """

    def check(path: str) -> tuple[str, bool]:
        """The fault, and whether it is an animation."""
        try:
            if media_type == "video":
                read_frames(read_media(media[path]), CHECKED_FRAMES, str(media[path]))
                return "", False
            image = decode(read_media(media[path]), str(media[path]))
        except (NegjaxError, OSError) as error:
            return str(error), False
        _check_boxes(image, boxes.get(path, ()), source)
        return "", getattr(image, "is_animated", False)

    threads = ThreadPoolExecutor(os.cpu_count())
    faults, animations = {}, list[str]()
    try:
        with track_progress(len(media), "checking media", progress) as done:
            for path, (fault, is_animated) in zip(media, threads.map(check, media)):
                if fault:
                    faults[path] = fault
                if is_animated:
                    animations.append(path)
                done(1)
    finally:
        threads.shutdown(cancel_futures=True)  # otherwise Ctrl-C would wait for all of them
    if animations:
        message = (
            "%s: %d images are animations, the first %s: only first frames are used; for clips convert them to MP4"
        )
        logger.warning(message, source, len(animations), animations[0])
    return faults


def image_fault(media: MediaFile) -> str:
    """Decodes an image; returns why it cannot be decoded, "" if it can."""
    try:
        decode(read_media(media), str(media))
    except (NegjaxError, OSError) as error:
        return str(error)
    return ""


def _check_boxes(image: Image.Image, boxes: Sequence[tuple[int, BoxXYWH]], source: str) -> None:
    for row, box in boxes:
        try:
            corners(box, *image.size)
        except ValueError as error:
            raise NegjaxError(f"{source} row {row}: {error}") from error
