"""The text encoders: padding is of no account, however they are computed; what they refuse."""

import dataclasses

import jax
import numpy as np
import pytest
from support.trees import unit

from negjax.errors import NegjaxError
from negjax.models import clip
from negjax.models.architecture import TextEncoderConfig, from_dict, to_dict
from negjax.models.compute import Compute
from negjax.models.encoders import known_encoder
from negjax.models.init import init_params
from negjax.models.presets import preset
from negjax.models.text import lengths

BERT = TextEncoderConfig(12, 50, 32, 2, 2, 48, max_positions=12, pool="first")
ROBERTA = dataclasses.replace(BERT, pad_id=1, positions="count", max_positions=14, token_types=1, pool="mean")
NLLB = dataclasses.replace(
    ROBERTA, positions="waves", max_positions=0, token_types=0, norm_first=True, scale_tokens=True, activation="relu"
)


def model(text: TextEncoderConfig):
    config = dataclasses.replace(preset("tiny"), text=text, family="clip_bert")
    # Initial matrices are so small that the embedding of a random encoder hardly depends on the tokens.
    return config, jax.tree.map(lambda x: x * 8 if x.ndim > 1 else x, init_params(config, seed=0))


def captions(text: TextEncoderConfig) -> np.ndarray:
    """Token ids of five captions of up to 7 tokens; one has padding among its tokens."""
    rng = np.random.default_rng(1)
    token_NT = rng.integers(2, text.vocab_size, (5, text.context_length), np.int32)
    for row, length in zip(token_NT, (3, 7, 5, 1, 6)):
        row[length:] = text.pad_id
    token_NT[1, 2] = text.pad_id
    return token_NT


@pytest.mark.parametrize("text", [BERT, dataclasses.replace(BERT, mask="tail", pool="pooler"), ROBERTA, NLLB])
def test_padding_may_be_cut_off(text):
    config, params = model(text)
    token_NT = captions(text)
    np.testing.assert_array_equal(lengths(text, token_NT), [3, 7, 5, 1, 6])
    encode = lambda token_NT: unit(clip.encode_text(config, params, token_NT))  # noqa: E731
    whole = encode(token_NT)
    np.testing.assert_allclose(encode(token_NT[:, :7]), whole, atol=1e-6)
    alone = np.concatenate([encode(row[None, :length]) for row, length in zip(token_NT, (3, 7, 5, 1, 6))])
    np.testing.assert_allclose(alone, whole, atol=1e-6)
    # The comparison would see it: the last token but padding counts.
    assert np.abs(encode(token_NT[:, :6])[1] - whole[1]).max() > 1e-4


@pytest.mark.parametrize("text", [ROBERTA, NLLB])
def test_one_gradient_however_it_is_computed(text):
    config, params = model(text)
    token_NT = captions(text)

    def gradient(compute: Compute):
        loss = lambda params: (clip.encode_text(config, params, token_NT, compute) ** 2).sum()  # noqa: E731
        return jax.jit(jax.grad(loss))(params)["text"]

    plain = gradient(Compute())
    for compute in (Compute(remat="full"), Compute(remat="dots", scan=True)):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max()), plain, gradient(compute)
        )
    # What only padding uses learns nothing.
    assert not np.any(plain["tokens"][text.pad_id])
    if text.max_positions:
        assert not np.any(plain["positions"][text.pad_id])
        assert np.any(plain["positions"][text.pad_id + 1])


def test_the_architecture_comes_back_from_a_checkpoint():
    config = preset("BiomedCLIP")
    assert from_dict(to_dict(config)) == config
    with pytest.raises(NegjaxError, match=r"unknown text pool .last.; choose one of first, mean, pooler"):
        dataclasses.replace(config, text=dataclasses.replace(config.text, pool="last"))
    with pytest.raises(NegjaxError, match="text width 768 differs from the embedding's 512"):
        dataclasses.replace(config, text=dataclasses.replace(config.text, projection="none"))


def test_a_context_longer_than_the_positions_is_refused():
    with pytest.raises(NegjaxError, match="a context of 13 tokens: the positions suffice for 12"):
        dataclasses.replace(ROBERTA, context_length=13)
    assert known_encoder("xlm-roberta-base").max_positions == 514
    dataclasses.replace(known_encoder("xlm-roberta-base"), context_length=512)
    dataclasses.replace(NLLB, context_length=1000)  # waves go on
    assert known_encoder("someone/xlm-roberta-base") is None
