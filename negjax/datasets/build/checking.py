"""Checking that every image and clip of a set can be decoded, before anything is written."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from negjax.datasets.sources.crops import Box, corners
from negjax.datasets.sources.rows import MediaFile, is_video
from negjax.errors import NegjaxError
from negjax.media.images import decode
from negjax.media.video import read_frames
from negjax.runtime.progress import track_progress

FRAMES = 4  # of a clip, as NegBench takes


def undecodable(
    places: Mapping[str, MediaFile], boxes: Mapping[str, Sequence[tuple[int, Box]]], source: str, progress: bool
) -> dict[str, str]:
    """Those of the files that cannot be decoded, and why not.

    boxes: of each file the parts that are asked for, each with its row. Raises NegjaxError that names the source and
    the row of a box outside its image.
    """
    threads = ThreadPoolExecutor(os.cpu_count())
    reasons = {}
    try:
        with track_progress(len(places), "checking media", progress) as done:
            checked = threads.map(lambda file: _fault(file, places[file], boxes.get(file, ()), source), places)
            for file, reason in zip(places, checked):
                if reason:
                    reasons[file] = reason
                done(1)
    finally:
        threads.shutdown(cancel_futures=True)  # or Ctrl-C would wait for all of them
    return reasons


def _fault(file: str, place: MediaFile, boxes: Sequence[tuple[int, Box]], source: str) -> str | None:
    try:
        data = place.read_bytes()
        if is_video(file):
            read_frames(data, FRAMES, str(place))
            return None
        image = decode(data, str(place))
    except (NegjaxError, OSError) as error:
        return str(error)
    for row, box in boxes:
        try:
            corners(box, *image.size)
        except ValueError as error:
            raise NegjaxError(f"{source} row {row}: {error}") from error
    return None
