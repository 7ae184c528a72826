"""Decoding of encoded clips with PyAV (FFmpeg)."""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

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
from negjax.media.decoding import max_pixels, size_fault

av.logging.set_level(None)  # FFmpeg prints nothing: what matters is an error or a warning of negjax

# Titles that are not UTF-8 are no reason to refuse a clip. PyAV 19 takes them as they are and has no such option.
NOT_UTF8: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
FRAME_SHARE = 3 / 8  # of the largest image, an 8K frame: decoders hold several frames, so a gigabyte
IMAGE_FORMATS = ("gif", "apng", "ico")  # besides those that FFmpeg calls png_pipe, jpeg_pipe ...
IMAGE_BRANDS = ("avif", "heic", "heix", "mif1")  # images in a video's container


def list_packets(data: bytes, name: str) -> tuple[int, str]:
    """Lists the frames of a clip without decoding them.

    Args:
        data: the whole file.
        name: of the clip, for errors.

    Returns:
        The number of frames that the container shows, and why it seems to lack its end, "" if it does not.

    Raises:
        NegjaxError: the clip has no frame, or is a still image.
    """
    with _open(data, name) as (container, stream):
        packets = [(packet.pts, packet.duration or 0, packet.is_discard) for packet in _packets(container, stream)]
        count = sum(not discarded for _, _, discarded in packets)  # an edit list discards frames
        if not count:
            raise NegjaxError(f"{name}: the clip has no frame")
        format_name, brand = container.format.name, container.metadata.get("major_brand")
        if count == 1 and (format_name.endswith("_pipe") or format_name in IMAGE_FORMATS or brand in IMAGE_BRANDS):
            raise NegjaxError(f"{name}: this is a still image, not a clip")
        times = [(pts, duration) for pts, duration, _ in packets if pts is not None]
        return count, _describe_early_end(container, stream, times)


def decode_frames(data: bytes, indices: np.ndarray, name: str) -> tuple[dict[int, Image.Image], int, str]:
    """Decodes frames of a clip.

    Args:
        data: the whole file.
        indices: of the frames, int [F], in the order in which they decode.
        name: of the clip, for errors.

    Returns:
        The frames by index; how many frames of the clip decode; why the first or last packets do not decode, "" if they
        do.

    Raises:
        NegjaxError: packets in the middle do not decode, or none does.
    """
    index_set = set(indices.tolist())
    images: dict[int, Image.Image] = {}
    count, failure, started, stopped = 0, "", False, False
    with _open(data, name) as (container, stream):
        for packet in itertools.chain(_packets(container, stream), [None]):  # None flushes the decoder
            try:
                frames = stream.decode(packet)
            except FFmpegError as error:
                failure = failure or _reason(error)
                stopped = started  # a recording may start with frames that depend on earlier ones
                continue
            if packet is not None:
                if stopped:
                    raise NegjaxError(f"{name}: the clip is damaged before its end ({failure}): replace or remove it")
                started = True
            for frame in frames:
                if count in index_set:
                    images[count] = _to_upright_image(frame)
                count += 1
    if not count:
        raise NegjaxError(f"{name}: no frame of the clip decodes ({failure or 'the decoder gives none'})")
    return images, count, failure


@contextmanager
def _open(data: bytes, name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens the container and the first video stream. FFmpeg's errors, also in the block, become a NegjaxError."""
    try:
        # A clip is one file: a playlist must not make FFmpeg open what it names, on this disk or on the network.
        options = {"protocol_whitelist": "none"}
        with av.open(io.BytesIO(data), "r", options=options, **NOT_UTF8) as container:
            streams = [
                stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
            ]
            if not streams:
                raise NegjaxError(f"{name}: no video stream found ({container.format.name})")
            stream = streams[0]
            if stream.codec_context is None:
                raise NegjaxError(f"{name}: FFmpeg has no decoder for this video")
            limit = int(FRAME_SHARE * max_pixels())
            if fault := size_fault(stream.width, stream.height, limit):
                raise NegjaxError(f"{name}: {fault}")
            stream.codec_context.options = {"max_pixels": str(limit)}  # for frames larger than the container says
            stream.thread_count = 1
            yield container, stream
    except FFmpegError as error:
        reason = _reason(error) if data else "the file is empty"
        raise NegjaxError(f"{name}: the clip cannot be read ({reason})") from error


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets that are not empty, as far as the container can be read."""
    with suppress(FFmpegError, IndexError):  # IndexError: PyAV, after the last packet, where streams appear midway
        yield from (packet for packet in container.demux(stream) if packet.size)


def _describe_early_end(container: InputContainer, stream: VideoStream, times: list[tuple[int, int]]) -> str:
    """Where the frames, each with (time, duration), end clearly before the declared duration; "" if they do not."""
    time_base = stream.time_base
    if time_base is None or not times:
        return ""
    if stream.duration is not None:
        start, declared = (stream.start_time or 0) * time_base, stream.duration * time_base
    elif container.duration is not None:
        start, declared = (Fraction(time, av.time_base) for time in (container.start_time or 0, container.duration))
    else:
        return ""
    starts = sorted(pts for pts, _ in times)
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    longest = max([duration for _, duration in times] + gaps) * time_base
    end = max(pts + duration for pts, duration in times) * time_base - start
    # The duration of the last frame may be unknown, and sound that lasts a little longer is usual.
    if not longest or declared - end <= longest + declared / 20:
        return ""
    return f"its frames end at {float(end):.2f} s of {float(declared):.2f} s"


def _to_upright_image(frame: VideoFrame) -> Image.Image:
    """RGB, turned and mirrored by the display matrix: x' = a x + c y, y' = b x + d y, y downwards.

    A matrix that is not a multiple of a quarter turn is rounded to the nearest one.
    """
    image = frame.to_image()
    try:
        side_data: Any = frame.side_data  # PyAV annotates it with another type
        a, b, _, c, d = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32)[:5].tolist()
    except KeyError:
        return image
    except ValueError:  # PyAV does not list side data of a kind that is new to it, but still has the angle
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
