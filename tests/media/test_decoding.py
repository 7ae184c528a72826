"""Decoding: what people call images, deep grey, and files that are broken or built to do harm."""

import io
import math
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from support.images import encode, noise_image

from negjax.errors import NegjaxError
from negjax.media.decoding import MAX_PIXELS, decode, to_rgb

RNG = np.random.default_rng(0)


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand: `rows` are the scan lines, each after its filter byte."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rgb(data: bytes) -> np.ndarray:
    return np.asarray(to_rgb(decode(data, "x")))


def test_grey_palette_and_transparent_images_become_rgb():
    grey = RNG.integers(256, size=(6, 5), dtype=np.uint8)
    np.testing.assert_array_equal(rgb(encode(Image.fromarray(grey), "PNG")), np.repeat(grey[..., None], 3, axis=2))
    bits = grey > 127
    np.testing.assert_array_equal(
        rgb(encode(Image.fromarray(bits), "PNG")), np.repeat(255 * bits[..., None], 3, axis=2)
    )
    colours = RNG.integers(256, size=(16, 3), dtype=np.uint8)
    palette = Image.fromarray(grey % 16).convert("P")
    palette.putpalette(colours.tobytes())
    for options in ({}, {"transparency": 3}, {"transparency": bytes(range(16))}):
        np.testing.assert_array_equal(rgb(encode(palette, "PNG", **options)), colours[grey % 16])
    rgba = RNG.integers(256, size=(6, 5, 4), dtype=np.uint8)
    rgba[0, :, 3] = 0
    np.testing.assert_array_equal(rgb(encode(Image.fromarray(rgba), "PNG")), rgba[..., :3])
    grey_alpha = Image.fromarray(rgba[..., :2], mode="LA")
    np.testing.assert_array_equal(rgb(encode(grey_alpha, "PNG")), np.repeat(rgba[..., :1], 3, axis=2))


def test_cmyk_jpeg():
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    red = rgb(encode(ink, "JPEG", quality=95)).astype(int)
    assert np.abs(red - (255, 0, 0)).max() <= 3


def test_sixteen_bits_are_scaled_to_eight():
    grey = np.array([[0, 255, 256, 257], [32768, 0x80FF, 65279, 65535]], np.uint16)
    expected = np.array([[0, 0, 1, 1], [128, 128, 254, 255]], np.uint8)
    np.testing.assert_array_equal(rgb(encode(Image.fromarray(grey), "PNG")), np.repeat(expected[..., None], 3, axis=2))
    rows = b"".join(b"\0" + struct.pack(">12H", *row.repeat(3)) for row in grey)
    np.testing.assert_array_equal(rgb(raw_png(4, 2, 16, 2, rows)), np.repeat(expected[..., None], 3, axis=2))


def test_exif_rotation_is_not_applied():
    image = noise_image(0, (12, 7))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(image, "PNG", exif=exif)
    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == 6
    np.testing.assert_array_equal(rgb(data), image)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("#ff0000", "#00ff00")]
    for kind in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
        assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 2
        assert (rgb(data) == (255, 0, 0)).all()


def broken() -> dict[str, bytes]:
    jpeg = encode(noise_image(0, (64, 64)), "JPEG", quality=95)
    whole = encode(noise_image(0, (64, 64)), "PNG")
    side = math.isqrt(MAX_PIXELS) + 1
    return {
        "nothing": b"",
        "text": b"<html>404 Not Found</html>",
        "header alone": jpeg[:20],
        "half a JPEG": jpeg[: len(jpeg) // 2],
        "JPEG without its last rows": jpeg[:-200],
        "half a PNG": whole[: len(whole) // 2],
        "PNG with a wrong byte": whole[:-60] + bytes([whole[-60] ^ 255]) + whole[-59:],
        "no pixels": raw_png(0, 5, 8, 2, b""),
        "bomb": raw_png(side, side, 8, 2, b""),
        "large bomb": raw_png(60_000, 60_000, 8, 2, b""),
        "text bomb": whole[:33] + bomb_of_text() + whole[33:],
    }


def bomb_of_text() -> bytes:
    body = b"zTXt" + b"k\0\0" + zlib.compress(bytes(80_000_000))
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", broken())
def test_what_cannot_be_decoded_is_one_line_that_names_it(name):
    with pytest.raises(NegjaxError) as caught:
        decode(broken()[name], "set cats row 7")
    message = str(caught.value)
    assert message.startswith("set cats row 7: the image cannot be decoded (")
    assert "\n" not in message
    assert "object at 0x" not in message


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_largest_image_that_is_read():
    assert decode(encode(Image.new("1", (9000, 9000)), "PNG"), "x").size == (9000, 9000)
    with pytest.raises(NegjaxError, match=r"9459 x 9460 pixels, more than 89,478,485"):
        decode(raw_png(9459, 9460, 1, 0, b""), "x")


def twelve_bit_tiff(white_is_zero: bool = False) -> bytes:
    """Two 12-bit samples, 0x800 and 0xFFF, packed into three bytes: a TIFF written out by hand."""
    values = {256: 2, 257: 1, 258: 12, 259: 1, 262: 0 if white_is_zero else 1, 273: 8, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(values.items()))
    body = bytes([0x80, 0x0F, 0xFF, 0])  # at offset 8
    return b"II*\0" + struct.pack("<I", 12) + body + struct.pack("<H", len(values)) + entries + bytes(4)


def sixteen_bit_tiff(values: list[int], photometric: int) -> bytes:
    body = struct.pack(f"<{len(values)}H", *values)
    tags = {256: len(values), 257: 1, 258: 16, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(body)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_deep_grey_with_a_stated_scale():
    assert rgb(twelve_bit_tiff())[0, :, 0].tolist() == [0x80, 0xFF]
    assert rgb(sixteen_bit_tiff([0, 0x40FF, 0xFFFF], 1))[0, :, 0].tolist() == [0, 0x40, 0xFF]
    assert rgb(sixteen_bit_tiff([0, 0x40FF, 0xFFFF], 0))[0, :, 0].tolist() == [0xFF, 0xBF, 0]  # white is zero
    assert rgb(b"P5 3 1 4095\n" + struct.pack(">3H", 0, 2048, 4095))[0, :, 0].tolist() == [0, 0x80, 0xFF]  # Netpbm
    assert rgb(encode(Image.fromarray(np.zeros((2, 2), np.uint16)))).max() == 0
    big_endian = np.array([[0x1234, 0xABCD]], ">u2")
    assert rgb(encode(Image.frombytes("I;16B", (2, 1), big_endian.tobytes()), "TIFF"))[0, :, 0].tolist() == [0x12, 0xAB]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (np.array([[0, 4095]], np.uint16), "PNG", "its 16-bit values reach only 4095"),
        (np.array([[0, 4095]], np.uint16), "TIFF", "its 16-bit values reach only 4095"),
        (np.array([[0, 70_000]], np.int32), "TIFF", "its values are 32-bit integers"),
        (np.array([[0.0, 1.0]], np.float32), "TIFF", "its values are floating-point numbers"),
    ],
)
def test_deep_grey_of_an_unknown_scale_is_refused(values, kind, reason):
    """As CLIP's own code shows it: nearly black, or all white, or all black."""
    with pytest.raises(NegjaxError, match=rf"x.tif: the image cannot be decoded \({reason}.*: scale them to 8 bits\)"):
        decode(encode(Image.fromarray(values), kind), "x.tif")


@pytest.mark.parametrize("bound", ["0", "-1", "1e9", "many"])
def test_a_wrong_bound_of_pixels(bound, monkeypatch):
    monkeypatch.setenv("NEGJAX_MAX_PIXELS", bound)
    with pytest.raises(NegjaxError, match=f"NEGJAX_MAX_PIXELS={bound}: give the largest number"):
        decode(encode(noise_image(0)), "x")


def test_the_bound_of_pixels_is_a_setting(monkeypatch):
    data = raw_png(9459, 9460, 1, 0, (b"\0" + bytes(1183)) * 9460)
    monkeypatch.setenv("NEGJAX_MAX_PIXELS", "90000000")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    assert decode(data, "x").size == (9459, 9460)
    monkeypatch.setenv("NEGJAX_MAX_PIXELS", "1000")
    with pytest.raises(NegjaxError, match=r"x: .*40 x 32 pixels, more than 1,000; NEGJAX_MAX_PIXELS"):
        decode(encode(noise_image(0)), "x")


def test_images_that_are_lines():
    with pytest.raises(NegjaxError, match="1 x 80000000 pixels, a side of more than 1,000,000"):
        decode(raw_png(1, 80_000_000, 8, 2, b""), "x")


def test_no_warning_of_pillows_escapes(tmp_path):
    """They name no file, and are about metadata. In a process of its own: pytest has filters of its own."""
    palette = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    exif = b"\xff\xe1" + struct.pack(">H", 40) + b"Exif\0\0II*\0" + bytes([8, 0, 0, 0, 9, 0]) + bytes(22)
    jpeg = encode(noise_image(0), "JPEG")
    (tmp_path / "p.png").write_bytes(encode(palette, "PNG", transparency=bytes(range(16))))
    (tmp_path / "e.jpg").write_bytes(jpeg[:2] + exif + jpeg[2:])
    code = """
import sys
from pathlib import Path
from negjax.media.decoding import decode, to_rgb
for file in sys.argv[1:]:
    image = decode(Path(file).read_bytes(), file)
    image.getexif()
    to_rgb(image)
"""
    command = [sys.executable, "-c", code, tmp_path / "p.png", tmp_path / "e.jpg"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""


def test_programs_and_drawings_are_no_images():
    """Pillow starts Ghostscript for PostScript, whatever the file is called."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    assert Image.open(io.BytesIO(postscript)).format == "EPS"
    with pytest.raises(NegjaxError, match=r"x: the image cannot be decoded \(unknown image format"):
        decode(postscript, "x")
