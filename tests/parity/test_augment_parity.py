"""Changed colours against torchvision's own functions, on float images, and its ColorJitter's choices."""

import itertools

import jax
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

from torchvision.transforms import ColorJitter  # noqa: E402
from torchvision.transforms import functional as F  # noqa: E402

from negjax.config import Source  # noqa: E402
from negjax.media.augment import apply_color_jitter, jitter_params  # noqa: E402

JITTER = (0.4, 0.3, 0.2, 0.1)


def torchvisions(pixels: np.ndarray, how: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    changes = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    for change in list(itertools.permutations(range(4)))[int(how[4])]:
        image = changes[change](image, float(how[change]))
    if how[5]:
        image = F.rgb_to_grayscale(image, num_output_channels=3)
    return 255 * image.permute(1, 2, 0).numpy()


def test_equal_to_torchvision_but_for_the_rounding():
    """Drawn for 240 images of noise and of flat colours, in every order."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(240, 16, 16, 3), dtype=np.uint8)
    pixels[::2, :, 8:] = pixels[::2, :1, 8:9]
    source = Source("x", 1, contrastive=1.0, color_jitter=JITTER, color_jitter_prob=0.8, gray_scale_prob=0.2)
    how = jitter_params(source, rng.random((240, 7)))
    assert len(set(how[:, 4])) == 24
    got = np.asarray(jax.jit(apply_color_jitter)(pixels, how), np.float32)
    for found, each, drawn in zip(got, pixels, how):
        np.testing.assert_allclose(found, torchvisions(each, drawn), atol=0.51)


def test_the_factors_are_spread_as_color_jitter_spreads_them():
    torch.manual_seed(0)
    made = ColorJitter(*JITTER)
    theirs = np.array(
        [ColorJitter.get_params(made.brightness, made.contrast, made.saturation, made.hue)[1:] for _ in range(4000)]
    )
    source = Source("x", 1, contrastive=1.0, color_jitter=JITTER)
    ours = jitter_params(source, np.random.default_rng(0).random((4000, 7)))[:, :4]
    for share in (0, 0.25, 0.5, 0.75, 1):
        np.testing.assert_allclose(np.quantile(ours, share, axis=0), np.quantile(theirs, share, axis=0), atol=0.03)
