"""Frames of clips, resized as the reference resizes them: float tensors, bicubic and antialiased, in PyTorch."""

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

from PIL import Image  # noqa: E402

from negjax.media.images import Preprocess  # noqa: E402
from negjax.media.video import read_frames, to_clip_pixels  # noqa: E402


def resized(image: Image.Image, size: int, dtype: torch.dtype) -> np.ndarray:
    """PyTorch's, in the scale 0..255."""
    image_BCHW = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(dtype) / 255
    out_BCHW = torch.nn.functional.interpolate(
        image_BCHW, size=(size, size), mode="bicubic", antialias=True, align_corners=False
    )
    return 255 * out_BCHW[0].permute(1, 2, 0).numpy()


def check(images: list[Image.Image], size: int, apart: float) -> None:
    """Equal to PyTorch in float64. In float32 PyTorch itself is `apart` from that, and so from us."""
    pixels_FHWC = to_clip_pixels(images, Preprocess(size=size), "negbench")
    for pixels_HWC, image in zip(pixels_FHWC, images, strict=True):
        exact, usual = resized(image, size, torch.float64), resized(image, size, torch.float32)
        assert np.abs(pixels_HWC - exact).max() < 1e-4
        assert np.abs(pixels_HWC - usual).max() < apart


@pytest.mark.parametrize("size", [224, 336, 32])
@pytest.mark.parametrize(("width", "height"), [(320, 240), (240, 320), (640, 272), (1920, 1080), (100, 60), (224, 224)])
def test_any_size(width, height, size):
    """Noise, where every error shows. Measured: 3e-5 from float64, 6.4e-3 from float32, of 255."""
    noise = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    check([Image.fromarray(noise)], size, apart=0.01)


def test_values_beyond_the_range_are_kept():
    edges = np.random.default_rng(0).integers(2, size=(30, 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1) * 255
    expected = resized(Image.fromarray(edges), 224, torch.float64)
    assert expected.min() < -10
    assert expected.max() > 265
    check([Image.fromarray(edges)], 224, apart=0.01)


def test_real_clips(test_data):
    """Measured: 3e-5 from float64, 2.5e-3 from float32, of 255."""
    for name in ("bikes.mp4", "flipping_a_pancake.mkv", "rotated_90.mov"):
        frames = read_frames((test_data / "videos" / name).read_bytes(), 4, name)
        check(frames, 224, apart=0.01)
