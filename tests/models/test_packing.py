"""Several captions in a row: the same embeddings and gradients as of a row for each, and how rows are filled."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from negjax.models import clip
from negjax.models.architecture import CLIPConfig, TextConfig, TextEncoderConfig, VisionConfig
from negjax.models.compute import Compute
from negjax.models.init import init_params
from negjax.models.packing import MAX_SLOTS, assign_rows, can_pack, caption_starts, pack, round_up_rows
from negjax.models.text import lengths

WIDTH, END = 21, 39
TEXT = TextConfig(WIDTH, 40, 16, 3, 2, 40, "gelu")
CONFIG = CLIPConfig("custom", 12, VisionConfig(32, 8, 16, 1, 2, 40, "gelu"), TEXT)
EOS = dataclasses.replace(TEXT, pool="eos", end_token=END)


def captions(rng, count, longest=WIDTH):
    token_NT = np.zeros((count, WIDTH), np.int32)
    for row in token_NT:
        length = rng.integers(2, longest + 1)
        row[:length] = [1, *rng.integers(2, END, length - 2), END]
    return token_NT


@pytest.mark.parametrize("text", [TEXT, EOS], ids=["argmax", "eos"])
@pytest.mark.parametrize("compute", [Compute(), Compute(scan=True, remat="dots")], ids=["plain", "scan and remat"])
def test_embeddings_and_gradients_are_those_of_a_row_for_each(text, compute):
    config = dataclasses.replace(CONFIG, text=text)
    params, token_NT = init_params(config, 0), captions(np.random.default_rng(0), 23)
    length_N = lengths(text, token_NT)
    row_N, rows = assign_rows(length_N, WIDTH)
    texts, slot_N = pack(token_NT, length_N, row_N, rows + 2, WIDTH)
    assert rows < 18
    weights = np.random.default_rng(1).normal(size=(23, 12))

    def padded(params):
        embedding = clip.encode_text(config, params, jnp.asarray(token_NT), compute)
        return (embedding * weights).sum(), embedding

    def packed(params):
        embedding = clip.encode_packed(config, params, texts, compute).reshape(-1, 12)[slot_N]
        return (embedding * weights).sum(), embedding

    (wanted_gradient, wanted), (gradient, found) = jax.jit(
        lambda p: (jax.grad(padded, has_aux=True)(p), jax.grad(packed, has_aux=True)(p))
    )(params)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    for path, leaf in clip.flatten_params(wanted_gradient).items():
        bound = 2e-6 * max(1, np.abs(leaf).max())
        np.testing.assert_allclose(clip.flatten_params(gradient)[path], leaf, atol=bound, err_msg=path)


def test_a_caption_does_not_depend_on_its_neighbours():
    params, rng = init_params(CONFIG, 0), np.random.default_rng(2)
    token_NT = captions(rng, 3, longest=7)
    length_N = lengths(TEXT, token_NT)
    texts, slot_N = pack(token_NT, length_N, np.zeros(3, np.int64), 1, WIDTH)
    whole = clip.encode_packed(CONFIG, params, texts)[0]
    changed = texts.token_RT.copy()
    changed[0, : length_N[0] - 1] = rng.integers(2, END, length_N[0] - 1)
    changed[0, length_N.sum() :] = 5
    again = clip.encode_packed(CONFIG, params, texts._replace(token_RT=changed))[0]
    assert slot_N.tolist() == [0, 1, 2]
    assert np.abs(again[0] - whole[0]).max() > 1e-2
    np.testing.assert_array_equal(again[1:3], whole[1:3])


@pytest.mark.parametrize("seed", range(8))
def test_rows_hold_every_caption_once(seed):
    rng = np.random.default_rng(seed)
    longest = (77, 20, 5, 77)[seed % 4]
    length_N = rng.integers(1, longest + 1, rng.integers(1, 300))
    token_NT = rng.integers(1, 1000, (len(length_N), 77)).astype(np.int32)
    row_N, rows = assign_rows(length_N, 77)
    assert set(row_N) == set(range(rows))
    assert np.bincount(row_N, length_N).max() <= 77
    assert np.bincount(row_N).max() <= MAX_SLOTS
    texts, slot_N = pack(token_NT, length_N, row_N, rows + 1, 77)
    start_RT = np.asarray(caption_starts(texts.end_RK, 77))
    ends = texts.end_RK.reshape(-1)[slot_N]
    for n, (slot, end) in enumerate(zip(slot_N, ends)):
        row = slot // texts.end_RK.shape[1]
        assert row == row_N[n]
        place = slice(end - length_N[n] + 1, end + 1)
        np.testing.assert_array_equal(texts.token_RT[row, place], token_NT[n, : length_N[n]])
        assert set(start_RT[row, place]) == {place.start}
    assert (texts.token_RT != 0).sum() == length_N.sum()


def test_a_batch_of_captions_leaves_little_padding():
    rng = np.random.default_rng(0)
    length_N = np.clip(rng.normal(13, 4, 640).astype(int), 5, 77)
    _, rows = assign_rows(length_N, 77)
    assert length_N.sum() / (77 * rows) > 0.985


def test_few_numbers_of_rows():
    for rows in range(1, 3000):
        rounded = round_up_rows(rows)
        assert rows <= rounded <= max(rows, rows * 9 / 8)
    assert len({round_up_rows(rows) for rows in range(100, 201)}) <= 15


def test_towers_that_see_what_follows_are_not_packed():
    assert can_pack(TEXT)
    assert can_pack(EOS)
    assert not can_pack(dataclasses.replace(TEXT, causal=False, pool="last"))
    assert not can_pack(dataclasses.replace(TEXT, pool="class", pad_token=0))
    assert not can_pack(TextEncoderConfig(9, 30, 16, 3, 2, 40, pad_id=0, pool="first"))
