"""What people pass to the encoders: pixels of the model's size and ids of its vocabulary, or an error that says so."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.models import tiny_model

from negjax.errors import NegjaxError
from negjax.models.encoder_inputs import check_pixels, check_tokens

MODEL = tiny_model()
SIZE = MODEL.config.vision.image_size
TEXT = MODEL.config.text
PIXELS_BHWC = np.random.default_rng(0).integers(256, size=(2, SIZE, SIZE, 3), dtype=np.uint8)
IDS_BT = MODEL.tokenizer(["a cat", "no dog"], 16)


def test_what_is_accepted_embeds_alike():
    expected = np.asarray(MODEL.encode_pixels(PIXELS_BHWC))
    for pixels in (PIXELS_BHWC, jnp.array(PIXELS_BHWC), list(PIXELS_BHWC)):
        np.testing.assert_array_equal(MODEL.encode_image(pixels), expected)
    expected = np.asarray(MODEL.encode_tokens(IDS_BT))
    for ids in (IDS_BT, IDS_BT.astype(np.int64), jnp.array(IDS_BT), IDS_BT.tolist()):
        np.testing.assert_array_equal(MODEL.encode_text(ids), expected)
    traced = jax.jit(lambda pixels, ids: (MODEL.encode_image(pixels), MODEL.encode_text(ids)))
    np.testing.assert_allclose(traced(PIXELS_BHWC, IDS_BT)[1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((1, SIZE + 8, SIZE + 8, 3), np.uint8), rf"instead of \[B, {SIZE}, {SIZE}, 3\]: make them with"),
        (PIXELS_BHWC[0], r"a single image is pixels\[None\]"),
        (PIXELS_BHWC.transpose(0, 3, 1, 2), "make them with preprocess"),
        (PIXELS_BHWC / 255, "the pixels are float64: give what preprocess"),
        (jnp.array(PIXELS_BHWC) / 255, "the pixels are float32"),
        (PIXELS_BHWC.astype(np.int32), "the pixels are int32"),
        ("photo.jpg", "the pixels are str, not an array: make them with preprocess"),
        (None, "the pixels are NoneType"),
        ([PIXELS_BHWC[0], PIXELS_BHWC[0, 1:]], "the pixels are no array"),
    ],
)
def test_pixels_that_are_none(pixels, message):
    with pytest.raises(TypeError, match=message):
        check_pixels(pixels, SIZE)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (IDS_BT.astype(np.float32), "the token ids are float32, not integers"),
        (IDS_BT[0], r"a single text is ids\[None\]"),
        (np.zeros((1, TEXT.context_length + 1), np.int32), rf"instead of \[B, T\] with T up to {TEXT.context_length}"),
        (np.zeros((1, 0), np.int32), "instead of"),
        (["a cat"], "make them with tokenize"),
        ("a cat", "the token ids are str"),
        ([[1, 2], [3]], "the token ids are no array"),
    ],
)
def test_token_ids_that_are_none(ids, message):
    with pytest.raises(TypeError, match=message):
        check_tokens(ids, TEXT)


@pytest.mark.parametrize("wrong", [-1, TEXT.vocab_size, 10**9])
def test_ids_outside_the_vocabulary(wrong):
    """JAX would take the nearest row of the table."""
    ids = IDS_BT.copy()
    ids[1, 2] = wrong
    for argument in (ids, jnp.array(ids)):
        with pytest.raises(
            NegjaxError, match=f"token id {wrong} is not in this model's vocabulary of {TEXT.vocab_size}"
        ):
            MODEL.encode_text(argument)
    ids[1, 2] = TEXT.vocab_size - 1
    assert MODEL.encode_text(ids).shape[0] == 2


def test_a_tower_that_attends_to_padding_takes_whole_contexts_only():
    whole = dataclasses.replace(TEXT, causal=False)
    assert check_tokens(np.zeros((1, TEXT.context_length), np.int32), whole).shape == (1, TEXT.context_length)
    with pytest.raises(TypeError, match=rf"\[2, 16\] instead of \[B, {TEXT.context_length}\]"):
        check_tokens(IDS_BT, whole)
