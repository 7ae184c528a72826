"""Clips to frames, and frames to pixels: which frames the reference takes, read from an encoded clip with PyAV."""

import io
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any, Literal

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from negjax.errors import NegjaxError
from negjax.media.images import MOST_PIXELS, Preprocess, to_pixels

logger = logging.getLogger(__name__)
av.logging.set_level(None)  # FFmpeg tells stderr nothing: what matters comes as an error or a warning of ours

VideoPreprocess = Literal["negbench", "clip"]
VIDEO_PREPROCESS = ("negbench", "clip")
IMAGE_FORMATS = ("gif", "apng", "ico")  # besides those that FFmpeg calls png_pipe, jpeg_pipe ...
IMAGE_BRANDS = ("avif", "heic", "heix", "mif1")  # pictures in a video's container


def frame_places(count: int, frames: int) -> np.ndarray:
    """Which frames of a clip of `count` the reference takes, int [min(frames, count)], 0-based and in order.

    The midpoints of equal intervals, halves rounded to even. Intervals of a short clip may share a midpoint: a clip
    of 4 frames gives 0, 0, 2, 2.
    """
    if frames < 1:
        raise NegjaxError(f"frames is {frames}: at least 1 is needed")
    ticks = np.linspace(0, count - 1, min(frames, count) + 1).astype(int)
    return np.round((ticks[:-1] + ticks[1:]) / 2).astype(int)


def read_frames(data: bytes, frames: int, where: str) -> list[Image.Image]:
    """The frames of an encoded clip that the reference takes, RGB, upright as the clip's display matrix says.

    data: the whole file. where: names it in errors and warnings. Frame n is the n-th that decodes, in the order of
    presentation, whatever the container says about their number and times. Pixels that are not square stay as they
    are. A clip that is cut short, at either end, is used as far as it decodes, with a warning. One that is damaged
    in between, a still image and what has no frame at all raise NegjaxError.

    No more than `frames` pictures are held at a time. Decoding takes one thread (with more, the decoder finds other
    frames at a damaged end): read several clips at once instead, which is safe.
    """
    listed, missing = _list_packets(data, where)
    pictures, count, failure = _decode(data, frame_places(listed, frames), where)
    if count != listed:
        pictures, count, failure = _decode(data, frame_places(count, frames), where)
    if cut := failure or missing:
        logger.warning("%s: the clip is cut short (%s); the %d frames that decode are used", where, cut, count)
    return [pictures[place] for place in frame_places(count, frames).tolist()]


def to_clip_pixels(frames: list[Image.Image], preprocess: Preprocess, mode: VideoPreprocess) -> np.ndarray:
    """Frames to [F, S, S, 3] in the scale 0..255, S = preprocess.size.

    "clip": uint8, each as an image is (`to_pixels`). "negbench": float32, as the reference has it: squashed to the
    square by antialiased bicubic resampling of real numbers, neither rounded nor cut to 0..255.
    """
    if mode == "clip":
        return np.stack([to_pixels(frame, preprocess) for frame in frames])
    if mode != "negbench":
        raise NegjaxError(f"video preprocessing is {mode!r}: it must be {' or '.join(VIDEO_PREPROCESS)}")
    square = (preprocess.size, preprocess.size)
    pixels = [
        [channel.convert("F").resize(square, Image.Resampling.BICUBIC) for channel in frame.split()] for frame in frames
    ]
    return np.stack([np.stack([np.asarray(channel) for channel in frame], axis=-1) for frame in pixels])


def _list_packets(data: bytes, where: str) -> tuple[int, str]:
    """How many pictures the container shows, found without decoding, and why it seems to lack its end, or ""."""
    with _opened(data, where) as (container, stream):
        packets = [(packet.pts, packet.duration or 0, packet.is_discard) for packet in _packets(container, stream)]
        count = sum(not left_out for _, _, left_out in packets)  # an edit list leaves frames out
        if not count:
            raise NegjaxError(f"{where}: the clip holds no frame")
        name, brand = container.format.name, container.metadata.get("major_brand")
        if count == 1 and (name.endswith("_pipe") or name in IMAGE_FORMATS or brand in IMAGE_BRANDS):
            raise NegjaxError(f"{where}: this is a still image, not a clip")
        return count, _early_end(
            container, stream, [(pts, duration) for pts, duration, _ in packets if pts is not None]
        )


def _early_end(container: InputContainer, stream: VideoStream, times: list[tuple[int, int]]) -> str:
    """Says so where the frames, each with its time and duration, end clearly before the duration that is declared."""
    unit = stream.time_base
    if unit is None or not times:
        return ""
    if stream.duration is not None:
        start, declared = (stream.start_time or 0) * unit, stream.duration * unit
    elif container.duration is not None:
        start, declared = (Fraction(time, av.time_base) for time in (container.start_time or 0, container.duration))
    else:
        return ""
    starts = sorted(pts for pts, _ in times)
    steps = [late - early for early, late in itertools.pairwise(starts)]
    longest = max([duration for _, duration in times] + steps) * unit
    end = max(pts + duration for pts, duration in times) * unit - start
    # How long the last frame is shown may be unknown, and sound that goes on a little longer is usual.
    if not longest or declared - end <= longest + declared / 20:
        return ""
    return f"its frames end at {float(end):.2f} s of {float(declared):.2f} s"


def _decode(data: bytes, places: np.ndarray, where: str) -> tuple[dict[int, Image.Image], int, str]:
    """The frames at these places, how many decode in all, and why the first or last packets do not decode, or ""."""
    wanted = set(places.tolist())
    pictures: dict[int, Image.Image] = {}
    count, failure, started, stopped = 0, "", False, False
    with _opened(data, where) as (container, stream):
        for packet in itertools.chain(_packets(container, stream), [None]):  # None: what the decoder still holds
            try:
                decoded = stream.decode(packet)
            except FFmpegError as error:
                failure = failure or _reason(error)
                stopped = started  # a recording may begin with what depends on frames before it
                continue
            if packet is not None:
                if stopped:
                    raise NegjaxError(f"{where}: the clip is damaged before its end ({failure}): replace or remove it")
                started = True
            for frame in decoded:
                if count in wanted:
                    pictures[count] = _upright(frame)
                count += 1
    if not count:
        raise NegjaxError(f"{where}: no frame of the clip decodes ({failure or 'the decoder gives none'})")
    return pictures, count, failure


@contextmanager
def _opened(data: bytes, where: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The clip's container and its first video stream; FFmpeg's errors, here and within, become one line."""
    try:
        # A clip is one file: a playlist must not make FFmpeg open what it names, on this disk or on the network.
        options = {"protocol_whitelist": "none"}
        with av.open(io.BytesIO(data), "r", options=options, metadata_errors="replace") as container:
            videos = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
            if not videos:
                raise NegjaxError(f"{where}: holds no video ({container.format.name})")
            stream = videos[0]
            if stream.codec_context is None:
                raise NegjaxError(f"{where}: FFmpeg has no decoder for this video")
            if stream.width * stream.height > MOST_PIXELS:
                raise NegjaxError(f"{where}: {stream.width} x {stream.height} pixels, more than {MOST_PIXELS:,}")
            stream.thread_count = 1
            yield container, stream
    except FFmpegError as error:
        reason = _reason(error) if data else "the file is empty"
        raise NegjaxError(f"{where}: the clip cannot be read ({reason})") from error


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets that hold something, as far as the container can be read."""
    with suppress(FFmpegError, IndexError):  # IndexError: PyAV, after the last packet, where streams came up midway
        yield from (packet for packet in container.demux(stream) if packet.size)


def _upright(frame: VideoFrame) -> Image.Image:
    """RGB, turned and mirrored as the display matrix says: x' = a x + c y, y' = b x + d y, y downwards.

    Where the matrix is not a multiple of a quarter turn, the nearest is taken.
    """
    image = frame.to_image()
    try:
        side_data: Any = frame.side_data  # PyAV's own type for it is another
        a, b, _, c, d = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32)[:5].tolist()
    except KeyError:
        return image
    except ValueError:  # PyAV refuses to list kinds of side data that are new to it, but still knows the angle
        return image.rotate(90 * round(frame.rotation / 90), expand=True)
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.transpose(Image.Transpose.TRANSPOSE)
        a, d = c, b
    if a < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if d < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


def _reason(error: FFmpegError) -> str:
    return " ".join(str(error.strerror or type(error).__name__).split())
