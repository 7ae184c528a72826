"""A model small enough to compile in a second or two."""

import dataclasses

import jax
import numpy as np
import pytest

from negjax.media.images import Preprocess
from negjax.models.architecture import CLIPConfig, TextConfig, VisionConfig, for_sigmoid_loss
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.tokenizers.clip import VOCAB_SIZE, Tokenizer

CONFIG = dataclasses.replace(
    preset("tiny"),
    name="mini",
    embed_dim=12,
    vision=VisionConfig(image_size=16, patch_size=8, width=24, depth=2, heads=3, mlp_width=40, activation="gelu"),
    text=TextConfig(
        context_length=32, vocab_size=VOCAB_SIZE, width=16, depth=1, heads=2, mlp_width=30, activation="gelu"
    ),
)


@pytest.fixture(scope="session")
def config() -> CLIPConfig:
    """With the sigmoid loss's bias, so that every objective can be asked for."""
    return for_sigmoid_loss(CONFIG)


@pytest.fixture(scope="session")
def mini() -> LoadedModel:
    return LoadedModel(CONFIG, init_params(CONFIG, 0), Preprocess(size=16), Tokenizer(32), {"arch": "mini"})


@pytest.fixture(scope="session")
def params(config) -> dict:
    """Every parameter different from its neutral value; float32 NumPy arrays."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: np.float32(p + 0.1 * rng.normal(size=p.shape)), init_params(config, 0))
