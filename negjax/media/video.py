"""Clips to frames, and frames to pixels, as NegBench's reference code does it.

An encoded clip -> `read_frames`, F images -> `to_clip_pixels`, [F, S, S, 3] in the scale 0 to 255. Decoding itself is
in `negjax.media.clip_decoder`.
"""

import logging
from typing import Literal

import numpy as np
from PIL import Image

from negjax.errors import NegjaxError
from negjax.media.clip_decoder import decode_frames, list_packets
from negjax.media.images import Preprocess, to_pixels

logger = logging.getLogger(__name__)

VideoPreprocess = Literal["negbench", "clip"]
VIDEO_PREPROCESS = ("negbench", "clip")


def frame_indices(count: int, frames: int) -> np.ndarray:
    """Returns which frames of a clip are used: the midpoints of equal intervals, halves rounded to even.

    Intervals of a short clip may share a midpoint: a clip of 4 frames gives 0, 0, 2, 2.

    Args:
        count: number of frames of the clip.
        frames: number of frames to use.

    Returns:
        int [min(frames, count)], 0-based, ascending.

    Raises:
        NegjaxError: `frames` is less than 1.
    """
    if frames < 1:
        raise NegjaxError(f"frames is {frames}: it must be at least 1")
    ticks = np.linspace(0, count - 1, min(frames, count) + 1).astype(int)
    return np.round((ticks[:-1] + ticks[1:]) / 2).astype(int)


def read_frames(data: bytes, frames: int, name: str) -> list[Image.Image]:
    """Decodes the frames of a clip at `frame_indices`, upright by the clip's display matrix.

    Frame n is the n-th that decodes, in the order of presentation, whatever the container says about numbers and times.
    Pixels that are not square stay as they are. A clip that is cut short, at either end, is used as far as it decodes,
    with a warning.

    At most `frames` images are held at a time. Decoding uses one thread (with more, the decoder returns other frames at
    a damaged end); several clips can be read at once in threads.

    Args:
        data: the whole file.
        frames: number of frames to use.
        name: of the clip, for errors and warnings.

    Returns:
        RGB images.

    Raises:
        NegjaxError: the clip is damaged before its end, is a still image, or has no frame.
    """
    listed_count, early_end = list_packets(data, name)
    images, count, failure = decode_frames(data, frame_indices(listed_count, frames), name)
    if count != listed_count:
        images, count, failure = decode_frames(data, frame_indices(count, frames), name)
    if reason := failure or early_end:
        logger.warning("%s: the clip is cut short (%s); the %d frames that decode are used", name, reason, count)
    return [images[index] for index in frame_indices(count, frames).tolist()]


def to_clip_pixels(frames: list[Image.Image], preprocess: Preprocess, mode: VideoPreprocess) -> np.ndarray:
    """Resizes the frames of a clip.

    Args:
        frames: F RGB images.
        preprocess: of the model.
        mode: "clip" treats each frame as an image (`to_pixels`). "negbench", the reference's way, squashes frames to
            the square by antialiased bicubic resampling in float32, without rounding or clipping.

    Returns:
        [F, S, S, 3] in the scale 0 to 255, S = preprocess.size: uint8 for "clip", float32 for "negbench".

    Raises:
        NegjaxError: the mode is unknown.
    """
    if mode == "clip":
        return np.stack([to_pixels(frame, preprocess) for frame in frames])
    if mode != "negbench":
        raise NegjaxError(f"unknown video preprocessing {mode!r}; choose one of {', '.join(VIDEO_PREPROCESS)}")
    size = (preprocess.size, preprocess.size)
    resized_F3 = [
        [channel.convert("F").resize(size, Image.Resampling.BICUBIC) for channel in frame.split()] for frame in frames
    ]
    return np.stack([np.stack([np.asarray(channel) for channel in channels], axis=-1) for channels in resized_F3])
