"""What people pass to `preprocess`: it works as one expects, or says what it wants."""

import io
import os

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.images import encode, noise_image

from negjax.errors import NegjaxError
from negjax.media.arguments import is_batch, open_image

IMAGE = noise_image(3)
PIXELS_HW3 = np.asarray(IMAGE)


def test_every_way_in_gives_the_same_image(tmp_path):
    png = encode(IMAGE)
    (tmp_path / "photo.png").write_bytes(png)
    with (tmp_path / "photo.png").open("rb") as file:
        arguments = [
            tmp_path / "photo.png",
            str(tmp_path / "photo.png"),
            png,
            bytearray(png),
            io.BytesIO(png),
            file,
            IMAGE,
            Image.open(io.BytesIO(png)),
            PIXELS_HW3,
            PIXELS_HW3[::-1][::-1],
            jnp.array(PIXELS_HW3),
        ]
        for argument in arguments:
            np.testing.assert_array_equal(np.asarray(open_image(argument)), PIXELS_HW3)


def test_arrays_of_other_channels_and_depths(tmp_path):
    """By path, as PIL image and as array."""
    grey = PIXELS_HW3[..., 0]
    rgba = np.dstack([PIXELS_HW3, grey])
    deep = np.array([[0, 0x1234, 0xFFFF]], np.uint16)
    for array, expected in ((grey, grey), (grey > 99, grey > 99), (rgba, rgba), (deep, [[0, 0x12, 0xFF]])):
        png = encode(Image.fromarray(array))
        (tmp_path / "x.png").write_bytes(png)
        for argument in (array, png, tmp_path / "x.png", Image.open(io.BytesIO(png)), Image.fromarray(array)):
            np.testing.assert_array_equal(np.asarray(open_image(argument)), expected)
    np.testing.assert_array_equal(np.asarray(open_image(grey[..., None])), grey)


@pytest.mark.parametrize("values", [np.array([[0, 4095]], np.uint16), np.array([[0, 9]], np.int32)])
def test_images_of_an_unknown_scale_are_refused_on_every_way(values, tmp_path):
    data = encode(Image.fromarray(values), "TIFF")
    (tmp_path / "x.tif").write_bytes(data)
    arguments = [data, io.BytesIO(data), tmp_path / "x.tif", Image.open(io.BytesIO(data)), Image.fromarray(values)]
    for argument in arguments:
        with pytest.raises(NegjaxError, match="scale them to 8 bits"):
            open_image(argument)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (PIXELS_HW3 / 255, "the pixels are float64: give uint8 from 0 to 255"),
        (PIXELS_HW3.astype(np.int64), "the pixels are int64: give uint8 from 0 to 255"),
        (PIXELS_HW3.astype(np.uint16), "the pixels are uint16: give uint8 from 0 to 255"),
        (PIXELS_HW3.transpose(2, 0, 1), r"this array is \[3, 32, 40\]"),
        (np.zeros((0, 4, 3), np.uint8), r"this array is \[0, 4, 3\]"),
        (np.zeros(5, np.uint8), r"this array is \[5\]"),
        (5, "not int"),
        (None, "not NoneType"),
        ({"image": 1}, "not dict"),
        (io.StringIO("x"), "opened as text"),
    ],
)
def test_what_is_no_image(argument, message):
    with pytest.raises(TypeError, match=message):
        open_image(argument)


def test_files_that_are_not_regular(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    for name, reason in (("pipe.jpg", "a pipe"), ("endless.jpg", "a pipe or a device"), ("", "a folder")):
        with pytest.raises(NegjaxError, match=f"cannot read .*{name}: it is {reason}"):
            open_image(tmp_path / name)
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(NegjaxError, match=r"large.jpg: it has 1,073,741,825 bytes, more than 1,073,741,824"):
        open_image(tmp_path / "large.jpg")


def test_a_damaged_image_that_pillow_opened(tmp_path):
    image = Image.open(io.BytesIO(encode(IMAGE)[:500]))
    with pytest.raises(NegjaxError, match="the image cannot be used"):
        open_image(image)


def test_what_is_several_images():
    assert is_batch([IMAGE])
    assert is_batch((IMAGE, "a.jpg"))
    assert is_batch(PIXELS_HW3[None])
    assert not any(map(is_batch, (IMAGE, "a.jpg", b"x", PIXELS_HW3, PIXELS_HW3[..., 0])))
