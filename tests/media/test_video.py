"""Frames of clips that are made here, each with its number in its picture, and of real ones, against plain decoding."""

import io
import logging
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image, features
from support.clips import HEIGHT, WIDTH, clip, number, overwritten, packets, picture, places, plainly

from negjax.errors import NegjaxError
from negjax.media.video import frame_indices, read_frames


def refused(data: bytes, frames: int = 4) -> str:
    """The error, in one line that names the clip."""
    with pytest.raises(NegjaxError) as error:
        read_frames(data, frames, "row 7 (clips/a.mp4)")
    assert str(error.value).startswith("row 7 (clips/a.mp4): ")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_places_are_the_references():
    assert frame_indices(1, 4).tolist() == [0]
    assert frame_indices(2, 4).tolist() == [0, 0]
    assert frame_indices(3, 4).tolist() == [0, 0, 2]
    assert frame_indices(4, 4).tolist() == [0, 0, 2, 2]
    assert frame_indices(100, 4).tolist() == [12, 36, 62, 86]  # ticks 0 24 49 74 99: 36.5 and 61.5 and 86.5 to even
    for count in range(1, 400):
        for frames in (1, 2, 3, 4, 5, 8, 16, 64):
            assert frame_indices(count, frames).tolist() == places(count, frames)
    with pytest.raises(NegjaxError, match="frames is 0"):
        frame_indices(10, 0)


IRREGULAR = np.cumsum(np.random.default_rng(0).integers(5, 300, 60)).tolist()


@pytest.mark.parametrize(
    ("kind", "codec", "times_ms"),
    [
        ("mp4", "libx264", None),
        ("mp4", "mpeg4", None),
        ("mp4", "libx264", IRREGULAR),
        ("webm", "libvpx-vp9", None),
        ("webm", "libvpx-vp9", IRREGULAR),
        ("matroska", "libx264", None),
        ("matroska", "libx264", IRREGULAR),
        ("avi", "mpeg4", None),
        ("mpegts", "libx264", None),
    ],
)
def test_frames_of_any_container(kind, codec, times_ms, caplog):
    data = clip(60, kind, codec, times_ms)
    for frames in (1, 4, 8, 60, 100):
        assert [number(image) for image in read_frames(data, frames, "clip")] == places(60, frames)
    assert not caplog.records


def test_what_the_clips_above_are():
    """No count in webm and Matroska; pictures that stand in another order than they are shown; irregular times."""
    for kind, codec, count in [("mp4", "libx264", 60), ("webm", "libvpx-vp9", 0), ("matroska", "libx264", 0)]:
        with av.open(io.BytesIO(clip(60, kind, codec))) as container:
            assert container.streams.video[0].frames == count
    times = [time for time, _, _ in packets(clip(60))]
    assert times != sorted(times)
    assert len(set(np.diff(sorted(time for time, _, _ in packets(clip(60, times_ms=IRREGULAR)))))) > 20


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("kind", "codec"), [("mp4", "libx264"), ("mp4", "mpeg4"), ("webm", "libvpx-vp9")])
def test_short_clips(kind, codec, count, caplog):
    assert [number(image) for image in read_frames(clip(count, kind, codec), 4, "clip")] == places(count, 4)
    assert not caplog.records


@pytest.mark.parametrize(
    ("kind", "codec"), [("webm", "libvpx-vp9"), ("matroska", "mpeg4"), ("matroska", "libx264"), ("avi", "mpeg4")]
)
def test_a_clip_cut_short_is_used_with_a_warning(kind, codec, caplog):
    data = clip(60, kind, codec)
    data = data[: len(data) * 6 // 10]
    whole = plainly(data)
    assert 10 < len(whole) < 50
    images = read_frames(data, 4, "row 7 (clips/a.mp4)")
    for image, place in zip(images, places(len(whole), 4), strict=True):
        np.testing.assert_array_equal(image, whole[place])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("row 7 (clips/a.mp4): the clip is cut short (")
    assert f"the {len(whole)} frames" in record.getMessage()


def test_a_clip_without_its_index_is_refused():
    data = clip(60)
    assert "cannot be read" in refused(data[: len(data) * 6 // 10])


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("left", [2, 35, 58])
def test_an_end_that_does_not_decode(left, value, caplog):
    """An index that promises 60 frames, of which the last were never written: also where none of them is wanted."""
    data = clip(60, codec="mpeg4")
    for packet in packets(data)[left:]:
        data = overwritten(data, packet, value)
    images = read_frames(data, 4, "clip")
    assert [number(image) for image in images] == places(left, 4)
    assert f"the {left} frames that decode are used" in caplog.text


def test_a_clip_damaged_before_its_end_is_refused():
    data = clip(60)
    data = overwritten(data, packets(data)[30], 255)
    for frames in (1, 4, 60):
        assert "damaged before its end" in refused(data, frames)
    for packet in packets(data):
        data = overwritten(data, packet, 0)
    assert "no frame of the clip decodes" in refused(data)


def test_a_recording_that_starts_midway(caplog):
    """What comes before the first whole picture does not count, whether the decoder skips it or stumbles over it."""
    data = clip(60, "mpegts")
    data = data[188 * (len(data) // 188 * 3 // 10) :]
    decoded = [number(Image.fromarray(pixels)) for pixels in plainly(data)]
    assert decoded[0] > 5
    assert decoded[-1] == 59
    assert [number(image) for image in read_frames(data, 4, "clip")] == [decoded[i] for i in places(len(decoded), 4)]
    data = clip(60, codec="mpeg4")
    for packet in packets(data)[:12]:  # up to the second whole picture
        data = overwritten(data, packet, 0)
    assert [number(image) for image in read_frames(data, 4, "clip")] == [12 + place for place in places(48, 4)]
    assert "the 48 frames that decode are used" in caplog.text


def test_frames_that_an_edit_list_leaves_out_do_not_count(caplog):
    """The clip is made to begin with its frame 20."""
    data = clip(60)
    entry = data.index(b"elst") + 8  # after the version and flags: how many entries, and the first
    count, duration, start, rate = struct.unpack(">IIii", data[entry : entry + 16])
    assert (count, duration, rate) == (1, 2000, 65536)
    data = data[: entry + 4] + struct.pack(">Ii", 2000 - 667, start + 20 * 512) + data[entry + 12 :]
    assert [number(image) for image in read_frames(data, 4, "clip")] == [20 + place for place in places(40, 4)]
    assert not caplog.records


def turned(data: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """The clip with this a, b, c, d in the display matrix of its (only) track."""
    a, b, c, d = (65536 * number for number in matrix)
    start = data.index(b"tkhd") + 44
    return data[:start] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[start + 36 :]


@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (-1, 0, 0, -1),
        (0, 1, -1, 0),
        (0, -1, 1, 0),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_frames_are_shown_as_the_display_matrix_says(matrix):
    """Pixel (x, y) goes to (a x + c y, b x + d y), moved so that all are in the picture."""
    data = clip(3)
    flat = plainly(data)[2]
    a, b, c, d = matrix
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    across, down = a * x + c * y, b * x + d * y
    across, down = across - across.min(), down - down.min()
    expected = np.zeros((down.max() + 1, across.max() + 1, 3), np.uint8)
    expected[down, across] = flat
    np.testing.assert_array_equal(read_frames(turned(data, matrix), 3, "clip")[-1], expected)


def test_turns_beside_side_data_that_pyav_does_not_know():
    """EXIF in the pictures of a clip: a clip turned a quarter clockwise is."""
    exif = Image.Exif()
    exif[271] = "a camera"
    jpeg = io.BytesIO()
    Image.fromarray(picture(77)).save(jpeg, "JPEG", exif=exif.tobytes())
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mov") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for i in range(2):
            packet = av.Packet(jpeg.getvalue())
            packet.pts = packet.dts = i
            packet.stream = stream
            container.mux(packet)
    data = buffer.getvalue()
    flat = plainly(data)[0]
    for matrix, turns in [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]:
        np.testing.assert_array_equal(read_frames(turned(data, matrix), 1, "clip")[0], np.rot90(flat, turns))


def saved(kind: str, *images: Image.Image) -> bytes:
    buffer = io.BytesIO()
    images[0].save(buffer, kind, **({"save_all": True, "append_images": images[1:]} if images[1:] else {}))
    return buffer.getvalue()


def sound(kind: str, codec: str, cover: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=8000, layout="mono")
        if cover:
            shown = container.add_stream("mjpeg", rate=1)
            shown.width, shown.height, shown.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            shown.disposition = Disposition.attached_pic.value
            packet = av.Packet(cover)
            packet.pts = packet.dts = 0
            packet.stream = shown
            container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 576), np.int16), format="s16p", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def test_what_is_no_clip(capfd):
    still = Image.fromarray(picture(5))
    assert "the file is empty" in refused(b"")
    for data in (b"no clip\n" * 50, bytes(2000), clip(5)[:40]):
        assert "cannot be read" in refused(data)
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", *(["AVIF"] if features.check("avif") else [])):
        assert "still image" in refused(saved(kind, still))
    assert "no video stream found (wav)" in refused(sound("wav", "pcm_s16le"))
    assert "no video stream found (mp3)" in refused(sound("mp3", "libmp3lame", cover=saved("JPEG", still)))
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_decoded():
    data = clip(5, "webm", "libvpx-vp9")
    assert "no decoder" in refused(data.replace(b"V_VP9", b"V_XP9"))
    data = clip(2, "avi", "rawvideo")
    size = data.index(b"strf") + 12
    assert struct.unpack("<ii", data[size : size + 8]) == (WIDTH, HEIGHT)
    huge = data[:size] + struct.pack("<ii", 10_000, 10_000) + data[size + 8 :]
    assert "10000 x 10000 pixels, more than 33,554,431" in refused(huge)


def test_frames_that_grow_beyond_the_bound_are_not_decoded(monkeypatch):
    """The container shows the size of the first frame only."""
    small = clip(3, "mpegts")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    grows = small + buffer.getvalue()
    assert read_frames(grows, 6, "x")[-1].size == (640, 480)
    monkeypatch.setenv("NEGJAX_MAX_PIXELS", str(4 * 96 * 64))  # three eighths are a bound between the two sizes
    assert all(frame.size == (96, 64) for frame in read_frames(grows, 6, "x"))


def test_a_title_that_is_no_utf_8():
    data = clip(5, "webm", "libvpx-vp9")
    assert b"Lavf" in data
    assert [number(image) for image in read_frames(data.replace(b"Lavf", b"\xff\xfeaf"), 4, "clip")] == places(5, 4)


def test_an_animated_gif_is_a_clip():
    data = saved("GIF", *[Image.fromarray(picture(i)) for i in range(9)])
    assert [number(image) for image in read_frames(data, 4, "clip")] == places(9, 4)


def test_a_clip_never_opens_another_file(tmp_path, monkeypatch):
    """A playlist instead of a clip would make FFmpeg read what it names."""
    monkeypatch.chdir(tmp_path)
    Path("secret.mp4").write_bytes(clip(5))
    playlist = b"ffconcat version 1.0\nfile secret.mp4\n"
    assert len(plainly(playlist)) == 5
    assert "cannot be read" in refused(playlist)


def test_clips_read_side_by_side():
    clips = [clip(60), clip(50, "webm", "libvpx-vp9"), clip(40, codec="mpeg4"), clip(30, "matroska")]
    alone = [[np.asarray(image).tobytes() for image in read_frames(data, 4, "clip")] for data in clips]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: read_frames(data, 4, "clip"), clips * 10))
    assert [[np.asarray(image).tobytes() for image in images] for images in together] == alone * 10


MEMORY = """
import io, resource, sys
import av, numpy as np
from negjax.media.video import read_frames
buffer = io.BytesIO()
with av.open(buffer, "w", format="mp4") as container:
    stream = container.add_stream("mpeg4", rate=30)
    stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
    for i in range(60):
        frame = av.VideoFrame.from_ndarray(np.full((1620, 1920), i, np.uint8), format="yuv420p")
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(read_frames(buffer.getvalue(), 4, "clip")) == 4
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


QUIET = """
import av.logging
av.logging.restore_default_callback()
from negjax.errors import NegjaxError
from negjax.media.video import read_frames
try:
    read_frames(b"\\0\\0\\0\\x14ftypisom\\0\\0\\0\\0isom\\0\\0\\0\\x10mdat" + bytes(8), 4, "clip")  # no index
except NegjaxError:
    print("refused")
"""


def test_ffmpeg_writes_nothing():
    """Even where its own messages were on before."""
    run = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "refused\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
def test_memory_does_not_grow_with_the_clip():
    """60 frames of 1920 x 1080 are 373 MB as RGB."""
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 100_000


@pytest.mark.parametrize("name", ["bikes.mp4", "flipping_a_pancake.mkv"])
def test_real_clips(test_data: Path, name):
    data = (test_data / "videos" / name).read_bytes()
    whole = plainly(data, "AUTO")
    assert len(whole) in (250, 310)
    for frames in (1, 4, 16):
        images = read_frames(data, frames, name)
        for image, place in zip(images, places(len(whole), frames), strict=True):
            assert image.mode == "RGB"
            np.testing.assert_array_equal(image, whole[place])


def test_a_real_clip_that_is_turned(test_data: Path):
    """Its matrix has a = d = 0, b = 1, c = -1: a quarter turn clockwise, from 568 x 320 to upright."""
    data = (test_data / "videos" / "rotated_90.mov").read_bytes()
    start = data.index(b"tkhd") + 44
    assert struct.unpack(">5i", data[start : start + 20]) == (0, 65536, 0, -65536, 0)
    whole = plainly(data)
    images = read_frames(data, 4, "rotated_90.mov")
    assert [image.size for image in images] == [(320, 568)] * 3
    for image, place in zip(images, (0, 0, 2)):
        np.testing.assert_array_equal(image, np.rot90(whole[place], -1))


def test_a_real_clip_that_is_corrupted(test_data: Path, capfd):
    data = (test_data / "videos" / "corrupted.mp4").read_bytes()
    for frames in (1, 2, 4, 50):
        assert "damaged before its end" in refused(data, frames)
    assert capfd.readouterr() == ("", "")
