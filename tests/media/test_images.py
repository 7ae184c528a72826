"""Preprocessing against OpenAI's own result, against Pillow and NumPy spelled out, and with what people call images."""

import dataclasses
import io
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from support.images import encode, noise_image

from negjax.errors import NegjaxError
from negjax.media.boxes import BoxLTRB, random_box
from negjax.media.decoding import MAX_PIXELS, decode
from negjax.media.images import OPENAI_MEAN, OPENAI_STD, Preprocess, at_size, normalise, to_pixels
from negjax.media.jpeg import decode_unresized, shrink_to_jpeg

RNG = np.random.default_rng(0)


def noise(width: int, height: int) -> Image.Image:
    """Smooth enough to be no pure noise, rough enough that every resampling error shows."""
    small = RNG.integers(256, size=(max(1, height // 3), max(1, width // 3), 3), dtype=np.uint8)
    rough = Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)
    return Image.blend(rough, Image.fromarray(RNG.integers(256, size=(height, width, 3), dtype=np.uint8)), 0.3)


def numpy_resize(pixels_HWC: np.ndarray, height: int, width: int, kind: str) -> np.ndarray:
    """Antialiased bicubic (a = -0.5) or bilinear resampling in float64, rounded after each direction."""

    def cubic(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    weight, reach = (cubic, 2.0) if kind == "bicubic" else (lambda x: max(0.0, 1 - abs(x)), 1.0)

    def matrix(old: int, new: int) -> np.ndarray:
        stretch = max(1.0, old / new)
        rows = np.zeros((new, old))
        for i in range(new):
            centre = (i + 0.5) * old / new
            for j in range(old):
                if abs(j + 0.5 - centre) < reach * stretch:
                    rows[i, j] = weight((j + 0.5 - centre) / stretch)
        return rows / rows.sum(1, keepdims=True)

    wide = np.einsum("ow,hwc->hoc", matrix(pixels_HWC.shape[1], width), pixels_HWC).round().clip(0, 255)
    return np.einsum("oh,hwc->owc", matrix(pixels_HWC.shape[0], height), wide).round().clip(0, 255)


def test_openais_photograph(test_data: Path):
    folder = test_data / "clip"
    expected_CHW = np.load(folder / "preprocessed_photo.npy")[0]
    preprocess = Preprocess()
    pixels_HWC = to_pixels(decode((folder / "photo.jpg").read_bytes(), "photo"), preprocess)
    wanted_HWC = expected_CHW.transpose(1, 2, 0).astype(np.float64)
    exact = ((wanted_HWC * OPENAI_STD + OPENAI_MEAN) * 255).round().astype(np.uint8)
    np.testing.assert_array_equal(pixels_HWC, exact)
    np.testing.assert_allclose(normalise(pixels_HWC[None], preprocess)[0], wanted_HWC, atol=1e-6, rtol=0)


# Width, height, and the size and crop that torchvision's Resize(24) and CenterCrop(24) come to, worked out by hand.
@pytest.mark.parametrize(
    ("width", "height", "resized", "corner"),
    [
        (48, 48, (24, 24), (0, 0)),
        (60, 40, (36, 24), (6, 0)),
        (40, 61, (24, 36), (0, 6)),
        (50, 37, (32, 24), (4, 0)),
        (51, 37, (33, 24), (4, 0)),  # 9 / 2 = 4.5, to the even 4
        (54, 37, (35, 24), (6, 0)),  # 11 / 2 = 5.5, to the even 6
        (10, 7, (34, 24), (5, 0)),
        (5, 90, (24, 432), (0, 204)),
    ],
)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_short_side_and_centre_crop(width, height, resized, corner, interpolation):
    image = noise(width, height)
    got = to_pixels(image, Preprocess(size=24, interpolation=interpolation))
    left, top = corner
    whole = np.asarray(image.resize(resized, getattr(Image.Resampling, interpolation.upper())))
    np.testing.assert_array_equal(got, whole[top : top + 24, left : left + 24])
    brute = numpy_resize(np.asarray(image, np.float64), resized[1], resized[0], interpolation)
    difference = np.abs(got - brute[top : top + 24, left : left + 24])
    assert difference.max() <= 1  # Pillow calculates in fixed-point numbers, which shows where a half is rounded


@pytest.mark.parametrize(("long", "offset"), [(8, 0), (9, 0), (10, 1), (11, 2), (12, 2), (13, 2), (14, 3), (15, 4)])
def test_halves_of_a_pixel_are_rounded_to_even(long, offset):
    """With the short side already right nothing is resampled: each row or column tells its number."""
    numbers = np.repeat(np.arange(long, dtype=np.uint8), 8).reshape(long, 8, 1).repeat(3, 2)
    preprocess = Preprocess(size=8)
    rows = to_pixels(Image.fromarray(numbers), preprocess)
    columns = to_pixels(Image.fromarray(numbers.transpose(1, 0, 2)), preprocess)
    assert rows[:, 0, 0].tolist() == list(range(offset, offset + 8))
    assert columns[0, :, 0].tolist() == list(range(offset, offset + 8))


def test_squash_and_longest():
    image = noise(60, 33)
    squashed = to_pixels(image, Preprocess(size=24, resize_mode="squash"))
    assert np.abs(squashed - numpy_resize(np.asarray(image, np.float64), 24, 24, "bicubic")).max() <= 1
    padded = to_pixels(image, Preprocess(size=24, resize_mode="longest"))
    assert padded.shape == (24, 24, 3)
    assert np.abs(padded[5:18] - numpy_resize(np.asarray(image, np.float64), 13, 24, "bicubic")).max() <= 1
    assert not padded[:5].any()
    assert not padded[18:].any()


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 2000), (1, 65_000), (65_000, 1)])
def test_tiny_and_elongated_images(size, mode):
    image = Image.new("RGB", size, (10, 200, 30))
    pixels = to_pixels(image, Preprocess(size=224, resize_mode=mode))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    painted = pixels.reshape(-1, 3)[pixels.reshape(-1, 3).any(1)]
    assert (painted == (10, 200, 30)).all()
    assert len(painted) == 224 * 224 or mode == "longest"


# In OpenAI's and open_clip's preprocessing RGB comes last. What Pillow then does, with numbers worked out by hand.
SQUASH = Preprocess(size=2, interpolation="bilinear", resize_mode="squash")


def test_palettes_and_bits_are_resized_without_interpolation():
    stripes = np.array([[0, 1, 0, 1, 0, 1]] * 6, np.uint8)  # of 6 columns, numbers 1 and 4 are the centres of thirds
    palette = Image.fromarray(stripes).convert("P")
    palette.putpalette([200, 0, 0, 0, 0, 100])
    assert to_pixels(palette, SQUASH).tolist() == [[[0, 0, 100], [200, 0, 0]]] * 2
    bits = Image.fromarray(stripes.astype(bool))
    assert to_pixels(bits, SQUASH).tolist() == [[[255] * 3, [0] * 3]] * 2
    first = dataclasses.replace(SQUASH, rgb_first=True)
    for image, colours in ((palette, ([200, 0, 0], [0, 0, 100])), (bits, ([0] * 3, [255] * 3))):
        blend = to_pixels(image, first).astype(int)
        assert ((blend > np.min(colours, 0) + 20) == (np.ptp(colours, 0) > 0)).all()
        np.testing.assert_array_equal(to_pixels(image.convert("RGB"), SQUASH), blend)


def test_transparent_pixels_do_not_colour_their_neighbours():
    """Half red, half transparent blue, to one pixel: red where opacity weights; transformers shows it on white."""
    red_blue = np.array([[[255, 0, 0, 255], [0, 0, 255, 0]]], np.uint8)
    one = dataclasses.replace(SQUASH, size=1)
    assert np.abs(to_pixels(Image.fromarray(red_blue), one)[0, 0].astype(int) - [255, 0, 0]).max() <= 2
    on_white = to_pixels(Image.fromarray(red_blue), dataclasses.replace(one, rgb_first=True))[0, 0].astype(int)
    assert np.abs(on_white - [255, 127.5, 127.5]).max() <= 1
    opaque = red_blue[..., :3]
    assert np.abs(to_pixels(Image.fromarray(opaque), one)[0, 0].astype(int) - [127.5, 0, 127.5]).max() <= 1


def test_a_crop_of_a_palette_is_that_of_its_colours():
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    palette = Image.fromarray(numbers).convert("P")
    palette.putpalette(np.arange(48, dtype=np.uint8).tobytes())
    got = to_pixels(palette, Preprocess(size=2), BoxLTRB(1, 1, 3, 3))
    np.testing.assert_array_equal(got[..., 0], 3 * numbers[1:3, 1:3])
    small = shrink_to_jpeg(palette.resize((64, 64), Image.Resampling.NEAREST), b"", 32)
    blocks = np.kron(3 * numbers, np.ones((8, 8)))
    stored = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"))[..., 0]
    np.testing.assert_allclose(stored, blocks, atol=3)


def test_random_boxes_are_torchvisions_random_resized_crop():
    """Within the picture; the share of its area and the ratio of the sides are spread as they should be."""
    draws = np.random.default_rng(0).random((4000, 4))
    boxes = np.array([random_box(300, 300, 0.4, draw) for draw in draws])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.min() >= 0
    assert boxes.max() <= 300 + 1e-9
    free = (wide < 300) & (high < 300)
    ratio, area = wide / high, wide * high / 90_000
    assert 3 / 4 - 1e-9 <= ratio[free].min() < 0.77
    assert 1.3 < ratio[free].max() <= 4 / 3 + 1e-9
    assert 0.4 - 1e-9 <= area[free].min() < 0.41
    assert np.median(np.log(ratio)) == pytest.approx(0, abs=0.02)
    assert np.mean(0.4 + 0.6 * draws[:, 0]) == pytest.approx(area.mean(), abs=0.02)
    assert np.corrcoef(boxes[free, 0] / (300 - wide[free]), draws[free, 2])[0, 1] == pytest.approx(1)


def test_random_boxes_of_other_ratios():
    boxes = np.array(
        [random_box(300, 300, 0.1, draw, (0.5, 3.0)) for draw in np.random.default_rng(0).random((4000, 4))]
    )
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    ratio = (wide / high)[(wide < 300) & (high < 300)]
    assert 0.5 - 1e-9 <= ratio.min() < 0.52
    assert 2.9 < ratio.max() <= 3 + 1e-9
    small = ratio[:400]  # uniform in the logarithm
    assert np.median(np.log(small)) == pytest.approx(np.log(1.5) / 2, abs=0.15)


def test_a_box_is_resized_to_the_whole_square():
    """A part of one colour gives that colour alone; the whole picture as a box is the squashed picture."""
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[5:25, 10:30] = (200, 100, 50)
    got = to_pixels(Image.fromarray(picture), Preprocess(size=8), (14.5, 9.25, 25.5, 20.75))
    assert (got == (200, 100, 50)).all()
    image = noise(40, 30)
    squashed = to_pixels(image, Preprocess(size=8, resize_mode="squash"))
    np.testing.assert_array_equal(to_pixels(image, Preprocess(size=8), (0, 0, 40, 30)), squashed)


@pytest.mark.parametrize("turned", [False, True])
def test_an_image_too_elongated_to_be_resized_whole_gives_its_middle(turned):
    """Torchvision's way would take gigabytes here; the middle alone has the same pixels but for rounding."""
    size, length = 224, 9001
    assert size * int(size * length / 2) > MAX_PIXELS
    column_HWC = np.random.default_rng(1).integers(80, 170, size=(length, 2, 3), dtype=np.uint8)
    got = to_pixels(Image.fromarray(column_HWC.transpose(1, 0, 2) if turned else column_HWC), Preprocess(size=size))
    # The middle row is number 4500; of seven rows around it, resized to 784, the middle 224 are what is wanted.
    brute = numpy_resize(column_HWC[4497:4504].astype(np.float64), 784, size, "bicubic")[280:504]
    np.testing.assert_allclose(got.transpose(1, 0, 2) if turned else got, brute, atol=2)


@pytest.mark.parametrize("compiled", [False, True])
def test_normalise_equals_float64(compiled):
    """All 256 values of all three channels."""
    preprocess = Preprocess(mean=OPENAI_MEAN, std=OPENAI_STD)
    pixels = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 16, 16, 3)
    exact = (pixels / np.float64(255) - np.array(OPENAI_MEAN)) / np.array(OPENAI_STD)
    function = jax.jit(lambda x: normalise(x, preprocess)) if compiled else lambda x: normalise(x, preprocess)
    got = function(pixels)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, atol=1e-6, rtol=0)


def test_wrong_settings():
    for settings, message in (
        ({"interpolation": "cubic"}, "unknown interpolation 'cubic'; choose one of bicubic, bilinear"),
        ({"resize_mode": "crop"}, "unknown resize_mode 'crop'; choose one of shortest, squash, longest"),
        ({"crop_rounding": "up"}, "unknown crop_rounding 'up'; choose one of even, down"),
        ({"size": 0}, "size is 0: give a whole number of pixels"),
        ({"size": 64.0}, "size is 64.0"),
        ({"size": 64, "resize_size": 64}, "resize_size is 64: give None, or more than the 64 pixels"),
        ({"resize_size": 256, "resize_mode": "longest"}, "crops nothing"),
        ({"mean": "x"}, "mean is 'x': give three finite numbers, one for each channel"),
        ({"mean": (0.5, 0.5, float("nan"))}, "mean is .*nan"),
        ({"std": (0.5, 0.5)}, "std is .*: give three finite numbers"),
        ({"std": (0.5, 0.5, 0.0)}, "std is .*: its values must be greater than 0"),
    ):
        with pytest.raises(NegjaxError, match=message):
            Preprocess(**settings)


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("rounding", ["even", "down"])
def test_a_crop_from_a_larger_size(mode, rounding):
    """Resized to 70 by Pillow, then cut out at the margin's half, rounded as the setting says."""
    image = noise_image(0, (90, 61))
    resized = np.asarray(image.resize((70, 70) if mode == "squash" else (103, 70), Image.Resampling.LANCZOS))
    left = (resized.shape[1] - 63) / 2  # 20 of the 103 pixels, 3.5 of the 70
    left = {3.5: 4 if rounding == "even" else 3, 20: 20}[left]
    top = 4 if rounding == "even" else 3
    preprocess = Preprocess(63, interpolation="lanczos", resize_mode=mode, resize_size=70, crop_rounding=rounding)
    np.testing.assert_array_equal(to_pixels(image, preprocess), resized[top : top + 63, left : left + 63])
    twice = at_size(preprocess, 126)
    assert (twice.size, twice.resize_size, twice.crop_rounding) == (126, 140, rounding)


@pytest.mark.parametrize("how", [{}, {"quality": 95}, {"subsampling": 0}, {"progressive": True}, {"optimize": True}])
@pytest.mark.parametrize("size", [(64, 64), (64, 97), (111, 64)])
def test_what_needs_no_resizing_has_the_pixels_that_pillow_gives(how, size):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned, which CLIP does not do
    data = encode(noise_image(0, size), "JPEG", exif=exif, **how)
    ready = decode_unresized(data, Preprocess(size=64))
    assert ready is not None
    np.testing.assert_array_equal(ready, to_pixels(decode(data, "x"), Preprocess(size=64)))


def test_photographs_made_small_have_the_pixels_that_pillow_gives(test_data):
    photographs = sorted((test_data / "coco_val2017").glob("*.jpg"))[::10]
    for photograph in photographs:
        data = photograph.read_bytes()
        small = shrink_to_jpeg(decode(data, "x"), data, 224)
        ready = decode_unresized(small, Preprocess())
        if Image.open(io.BytesIO(small)).mode == "RGB":
            np.testing.assert_array_equal(ready, to_pixels(decode(small, "x"), Preprocess()))
    assert len(photographs) > 20


def test_everything_else_is_left_to_pillow():
    image = Image.effect_noise((64, 64), 50).convert("RGB")
    whole = encode(image, "JPEG")
    others = [encode(image), whole[:900], whole[:-2], b"", b"\xff\xd8", encode(image.convert("L"), "JPEG")]
    others += [encode(image.convert("CMYK"), "JPEG"), encode(image.resize((65, 65)), "JPEG")]
    assert [decode_unresized(data, Preprocess(size=64)) for data in others] == [None] * len(others)
    assert decode_unresized(whole, Preprocess(size=64, resize_mode="squash")) is None
    assert decode_unresized(whole, Preprocess(size=64)) is not None
