"""Numbers of an architecture out of other people's files: of their type, finite and in range."""

import dataclasses
import math

import pytest

from negjax.errors import NegjaxError
from negjax.models.presets import preset


@pytest.mark.parametrize("tower", ["vision", "text"])
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layer_norm_eps", math.nan, "layer_norm_eps is nan: it must be a finite number"),
        ("layer_norm_eps", "1e-5", "layer_norm_eps is '1e-5'"),
        ("layer_norm_eps", -1e-5, "layer_norm_eps is -1e-05"),
        ("layer_norm_eps", None, "layer_norm_eps is None"),
        ("depth", 10**9, "depth is 1000000000: it must be a whole number of at least 1 and at most 256"),
        ("depth", 0, "depth is 0"),
        ("heads", 0, "heads is 0: it must be a whole number of at least 1"),
        ("width", 512.0, "width is 512.0"),
        ("width", True, "width is True"),
        ("projection", 1, "projection is 1: it must be true or false"),
    ],
)
def test_a_wrong_number_is_named(tower, field, value, message):
    config = preset("ViT-B-32")
    with pytest.raises(NegjaxError, match=message):
        dataclasses.replace(config, **{tower: dataclasses.replace(getattr(config, tower), **{field: value})})


@pytest.mark.parametrize(
    ("field", "value"), [("embed_dim", "512"), ("logit_scale_init", math.inf), ("logit_bias_init", "")]
)
def test_a_wrong_number_of_the_whole_model(field, value):
    with pytest.raises(NegjaxError, match=f"{field} is "):
        dataclasses.replace(preset("ViT-B-32"), **{field: value})
