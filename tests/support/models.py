"""A tiny model with random weights."""

import dataclasses

from negjax.media.images import Preprocess
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.tokenizers.clip import Tokenizer


def tiny_model(seed: int = 0) -> LoadedModel:
    config = dataclasses.replace(preset("tiny"), name="test")
    return LoadedModel(
        config=config,
        params=init_params(config, seed),
        preprocess=Preprocess(size=config.vision.image_size),
        tokenizer=Tokenizer(),
        info={"arch": "test", "activation": config.activation, "source": "random"},
    )
