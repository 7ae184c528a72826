"""Initial weights of every family."""

import dataclasses

import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.models.init import init_params
from negjax.models.presets import preset


def small(name, **changes):
    config = preset(name)
    vision = dataclasses.replace(config.vision, image_size=16, patch_size=8, width=24, depth=1, heads=3, mlp_width=40)
    text = dataclasses.replace(config.text, vocab_size=50, width=24, depth=1, heads=2, mlp_width=30)
    return dataclasses.replace(config, embed_dim=24, vision=vision, text=text, **changes)


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-32",
        "ViT-B-16-SigLIP",
        "ViT-L-14-CLIPA",
        "coca_ViT-B-32",
        "conch_ViT-B-16",
        "PE-Core-B-16",
        "EVA02-B-16",
        "EVA01-g-14",
        "MobileCLIP2-L-14",
    ],
)
def test_every_family_has_initial_weights(name):
    assert init_params(small(name), 0)["visual"]["patch"]["kernel"].shape == (8, 8, 3, 24)


def test_mobileclip_starts_as_in_timm():
    """Convolutions with PyTorch's own values, statistics of nothing, and little of the class token."""
    params = init_params(small("MobileCLIP-B"), 0)["visual"]
    stem, kernel = params["stem"], params["patch"]["kernel"]
    assert (stem["conv1"]["kernel"].shape, kernel.shape) == ((2, 2, 3, 192), (2, 2, 192, 24))
    for array, inputs in ((stem["conv1"]["kernel"], 12), (stem["conv2"]["kernel"], 768), (kernel, 768)):
        assert 0.95 * inputs**-0.5 < np.abs(array).max() <= inputs**-0.5
    assert not stem["norm1"]["mean"].any()
    assert (stem["norm2"]["variance"] == 1).all()
    assert np.abs(params["class_token"]).max() < 1e-5
    assert np.std(params["projection"]["kernel"]) == pytest.approx(0.02, rel=0.1)


def test_later_blocks_of_timms_eva_start_smaller():
    """Its outputs are divided by the root of twice the block's number, its last layer by 1000."""
    config = small("PE-Core-B-16")
    deep = dataclasses.replace(config, vision=dataclasses.replace(config.vision, width=64, depth=12, heads=2))
    params = init_params(deep, 0)["visual"]
    for i in (0, 11):
        block = params["transformer"]["blocks"][str(i)]
        for kernel in (block["attention"]["out"]["kernel"], block["down"]["kernel"]):
            assert np.std(kernel) == pytest.approx(0.02 / np.sqrt(2 * (i + 1)), rel=0.05)
        assert np.std(block["up"]["kernel"]) == pytest.approx(0.02, rel=0.05)
    assert np.std(params["projection"]["kernel"]) == pytest.approx(2e-5, rel=0.05)


def test_a_parameter_without_an_initialiser_is_named():
    with pytest.raises(NegjaxError, match=r"the parameter [\w/]+ of .* \(family 'clip'\) has no initialiser"):
        init_params(small("ViT-B-16-SigLIP", family="clip"), 0)
