"""Clips made here, each frame with its number in its picture, and what is to be read from them."""

import io
import itertools
from fractions import Fraction

import av
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64


def picture(number: int) -> np.ndarray:
    """The number's 8 bits from the left, as black and white columns."""
    bits = [255 * (number >> bit & 1) for bit in range(8)]
    return np.broadcast_to(np.repeat(bits, WIDTH // 8)[None, :, None], (HEIGHT, WIDTH, 3)).astype(np.uint8)


def number(image: Image.Image) -> int:
    row = np.asarray(image.convert("L"))[image.height // 2]
    return sum(1 << bit for bit in range(8) if row[bit * WIDTH // 8 + WIDTH // 16] > 127)


def clip(count: int, kind: str = "mp4", codec: str = "libx264", times_ms: list[int] | None = None) -> bytes:
    """An encoded clip of numbered pictures, 30 a second or at these times."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 12
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def places(count: int, frames: int) -> list[int]:
    """The reference's frames, step by step."""
    parts = min(frames, count)
    ticks = [int(i * ((count - 1) / parts)) for i in range(parts)] + [count - 1]
    return [round((early + late) / 2) for early, late in itertools.pairwise(ticks)]


def plainly(data: bytes, threads: str = "SLICE") -> list[np.ndarray]:
    """Every frame, one after the other."""
    with av.open(io.BytesIO(data)) as container:
        container.streams.video[0].thread_type = threads
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def packets(data: bytes) -> list[tuple[int | None, int, int]]:
    """Time, position and size of each packet, in the file's order."""
    with av.open(io.BytesIO(data)) as container:
        return [(one.pts, one.pos, one.size) for one in container.demux(video=0) if one.size]


def overwritten(data: bytes, packet: tuple[int | None, int, int], value: int) -> bytes:
    _, start, size = packet
    return data[:start] + bytes([value]) * size + data[start + size :]
