"""Architectures as checkpoints store them."""

import dataclasses

import pytest

from negjax.errors import NegjaxError
from negjax.models.architecture import TextEncoderConfig, from_dict, to_dict
from negjax.models.presets import PRESETS, preset


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("ViT-B-32", "clip"),
        ("ViT-L-14-worldwide", "metaclip2"),
        ("ViT-B-16-SigLIP", "siglip"),
        ("ViT-B-16-SigLIP2", "siglip"),
        ("ViT-L-14-CLIPA", "clipa"),
    ],
)
def test_checkpoints_from_before_the_family_was_stored(name, family):
    data = to_dict(preset(name))
    assert data.pop("family") == family
    assert from_dict(data) == preset(name)


def test_a_stored_family_counts():
    config = dataclasses.replace(preset("tiny"), family="clipa")
    assert from_dict(to_dict(config)).family == "clipa"


def test_the_family_of_every_preset_is_what_old_checkpoints_imply():
    for config in PRESETS.values():
        if isinstance(config.text, TextEncoderConfig) or config.family not in ("clip", "siglip", "clipa", "metaclip2"):
            continue  # which are newer than the field
        data = {key: value for key, value in to_dict(config).items() if key != "family"}
        assert from_dict(data) == config


@pytest.mark.parametrize("pool", ["token", "median"])
def test_an_unknown_field_or_value_is_named(pool):
    data = to_dict(preset("tiny"))
    del data["family"]
    data["vision"] = data["vision"] | {"pool": pool, "activation": "swish"}
    with pytest.raises(NegjaxError, match=r"unknown vision activation 'swish'; choose one of gelu, quick_gelu"):
        from_dict(data)
