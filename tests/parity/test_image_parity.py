"""Images of every mode to pixels, as open_clip and transformers make them."""

import io

import numpy as np
import pytest

pytestmark = [pytest.mark.parity]
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from torchvision.transforms import functional  # noqa: E402

from negjax.media.boxes import BoxLTRB  # noqa: E402
from negjax.media.decoding import decode  # noqa: E402
from negjax.media.images import Preprocess, to_pixels  # noqa: E402

SIZES = [(61, 40), (40, 61), (24, 24), (9, 7)]
FILES = {
    "1": ("1", "PNG", {}),
    "L": ("L", "PNG", {}),
    "LA": ("LA", "PNG", {}),
    "P": ("P", "PNG", {}),
    "P with one transparent colour": ("P", "PNG", {"transparency": 2}),
    "P with transparencies": ("P", "PNG", {"transparency": bytes(range(0, 256, 16))}),
    "P of a GIF": ("P", "GIF", {"transparency": 1}),
    "RGB": ("RGB", "PNG", {}),
    "RGB with a transparent colour": ("RGB", "PNG", {"transparency": (1, 2, 3)}),
    "RGBA": ("RGBA", "PNG", {}),
    "RGBA of WebP": ("RGBA", "WEBP", {"lossless": True, "exact": True}),
    "RGBX": ("RGBX", "TIFF", {}),
    "CMYK": ("CMYK", "TIFF", {}),
    "CMYK of a JPEG": ("CMYK", "JPEG", {}),
    "YCbCr": ("YCbCr", "TIFF", {}),
    "LAB": ("LAB", "TIFF", {}),
}


def picture(mode, size):
    width, height = size
    rng = np.random.default_rng(width)
    bands = rng.integers(256, size=(height, width, 4), dtype=np.uint8)
    bands[: height // 3, :, 3], bands[-height // 3 :, :, 3] = 0, 255
    rgba = Image.fromarray(bands)
    if mode == "P":
        return rgba.convert("RGB").quantize(16)
    if mode == "LAB":
        return Image.frombytes("LAB", size, bands[..., :3].tobytes())
    return rgba.convert(mode) if mode in ("LA", "RGBA") else rgba.convert("RGB").convert(mode)


def file(name, size):
    mode, kind, options = FILES[name]
    buffer = io.BytesIO()
    picture(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("resize_mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_open_clip_converts_to_rgb_last(name, resize_mode, interpolation):
    theirs = open_clip.transform.image_transform(
        24, False, (0, 0, 0), (1, 1, 1), interpolation=interpolation, resize_mode=resize_mode
    )
    for size in SIZES:
        data = file(name, size)
        expected = (theirs(Image.open(io.BytesIO(data))).numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0)
        got = to_pixels(decode(data, name), Preprocess(24, interpolation=interpolation, resize_mode=resize_mode))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["1", "P", "P with one transparent colour"])
def test_a_crop_in_training_converts_to_rgb_last(name):
    """Without interpolation a crop knows nothing of what lies around it, so it is torchvision's to the bit."""
    data = file(name, (61, 40))
    crop = functional.resized_crop(
        Image.open(io.BytesIO(data)), 5, 7, 30, 40, [24, 24], functional.InterpolationMode.BICUBIC
    )
    got = to_pixels(decode(data, name), Preprocess(24), BoxLTRB(7, 5, 47, 35))
    np.testing.assert_array_equal(got, np.asarray(crop.convert("RGB")))


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("name", FILES)
def test_transformers_converts_to_rgb_first(name):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 24}, crop_size={"height": 24, "width": 24}, do_normalize=False, do_rescale=False
    )
    for size in SIZES[:2]:
        data = file(name, size)
        expected = np.asarray(processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"][0])
        got = to_pixels(decode(data, name), Preprocess(24, rgb_first=True))
        np.testing.assert_array_equal(got, expected.transpose(1, 2, 0))
