"""Changed colours against NumPy and Python's colorsys, and what is drawn for them."""

import colorsys
import itertools

import jax
import numpy as np
import pytest

from negjax.config import Source
from negjax.media.augment import JITTER_ORDERS, apply_color_jitter, jitter_params

JITTER = (0.4, 0.3, 0.2, 0.1)
SAME = [1, 1, 1, 0, 0, 0]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Noise, greys, black, white and pure colours among it."""
    pixels = np.random.default_rng(0).integers(256, size=(24, 9, 8, 3), dtype=np.uint8)
    pixels[:, 0, :6] = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 255), (7, 7, 8)]
    return pixels


def grey(x: np.ndarray) -> np.ndarray:
    return x[..., :1] * 0.2989 + x[..., 1:2] * 0.587 + x[..., 2:] * 0.114


def turned(image: np.ndarray, turn: float) -> np.ndarray:
    out = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*image[place])
        out[place] = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
    return out


def by_hand(pixels: np.ndarray, how: np.ndarray) -> np.ndarray:
    """Float pixels of 0 to 255 after the changes, one after the other."""
    image = pixels / 255
    factors = np.float64(how)
    changes = {
        0: lambda x: np.clip(factors[0] * x, 0, 1),
        1: lambda x: np.clip(factors[1] * x + (1 - factors[1]) * grey(x).mean(), 0, 1),
        2: lambda x: np.clip(factors[2] * x + (1 - factors[2]) * grey(x), 0, 1),
        3: lambda x: turned(x, factors[3]),
    }
    for change in list(itertools.permutations(range(4)))[int(how[4])]:
        image = changes[change](image)
    return 255 * (np.repeat(grey(image), 3, -1) if how[5] else image)


def test_all_changes_in_every_order(images):
    rng = np.random.default_rng(1)
    how = np.column_stack(
        [rng.uniform(0.5, 1.5, (24, 3)), rng.uniform(-0.5, 0.5, 24), np.arange(24), np.arange(24) % 5 == 0]
    )
    got = np.asarray(jax.jit(apply_color_jitter)(images, np.float32(how)))
    assert got.dtype == np.uint8
    for pixels, each, found in zip(images, np.float32(how), got):
        np.testing.assert_allclose(found, by_hand(pixels, each), atol=0.501)


@pytest.mark.parametrize("place", range(5))
def test_each_change_alone(images, place):
    how = np.tile(np.float32(SAME), (24, 1))
    how[:, place if place < 4 else 5] = [1.3, 0.6, 1.7, -0.2, 1][place]
    got = np.asarray(apply_color_jitter(images, how))
    assert not np.array_equal(got, images)
    for pixels, found in zip(images, got):
        np.testing.assert_allclose(found, by_hand(pixels, how[0]), atol=0.501)


def test_factors_of_one_change_nothing(images):
    for order in range(24):
        how = np.tile(np.float32([1, 1, 1, 0, order, 0]), (24, 1))
        np.testing.assert_array_equal(apply_color_jitter(images, how), images)


def test_what_is_drawn():
    source = Source("x", 1, contrastive=1.0, color_jitter=JITTER, color_jitter_prob=0.8, gray_scale_prob=0.2)
    drawn = jitter_params(source, np.random.default_rng(0).random((8000, 7)))
    assert drawn.shape == (8000, 6)
    assert drawn.dtype == np.float32
    changed = (drawn[:, :4] != SAME[:4]).any(1)
    assert changed.mean() == pytest.approx(0.8, abs=0.02)
    assert drawn[:, 5].mean() == pytest.approx(0.2, abs=0.02)
    assert sorted(set(drawn[:, 5])) == [0, 1]
    for column, (most, middle) in enumerate(zip(JITTER, SAME)):
        values = drawn[changed, column]
        assert middle - most <= values.min() < middle - 0.98 * most
        assert middle + 0.98 * most < values.max() <= middle + most + 1e-6
        assert values.mean() == pytest.approx(middle, abs=0.02 * most + 0.005)
    counts = np.bincount(drawn[:, 4].astype(int), minlength=24)
    assert len(counts) == len(JITTER_ORDERS) == 24
    assert counts.min() > 250
    strong = jitter_params(Source("x", 1, contrastive=1.0, color_jitter=(1.5, 0, 0, 0)), np.zeros((1, 7)))
    assert strong[0].tolist() == [0, 1, 1, 0, 0, 0]  # no brightness below none
