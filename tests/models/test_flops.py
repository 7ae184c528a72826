"""Operations counted from the architecture against XLA's own count of the compiled towers."""

import jax
import numpy as np
import pytest

from negjax.models import clip
from negjax.models.flops import image_flops, text_flops
from negjax.models.presets import preset


def counted(function, *shapes) -> float:
    return jax.jit(function).lower(*shapes).compile().cost_analysis()["flops"]


@pytest.mark.parametrize(
    "name", ["tiny", "ViT-B-32", "ViT-B-16-SigLIP", "coca_ViT-B-32", "PE-Core-B-16", "EVA02-B-16", "MobileCLIP-B"]
)
def test_what_the_compiler_counts(name):
    """XLA counts norms, softmax and activations too, which are a few per cent, more where a model is tiny."""
    config = preset(name)
    params, size = clip.abstract_params(config), config.vision.image_size
    image = jax.ShapeDtypeStruct((2, size, size, 3), np.float32)
    text = jax.ShapeDtypeStruct((2, config.text.context_length), np.int32)
    slack = 1.25 if name == "tiny" else 1.04
    theirs = counted(lambda p, x: clip.encode_image(config, p, x), params, image)
    assert 2 * image_flops(config) <= theirs <= slack * 2 * image_flops(config)
    theirs = counted(lambda p, x: clip.encode_text(config, p, x), params, text)
    ours = 2 * text_flops(config, config.text.context_length)
    assert ours <= theirs <= slack * ours


def test_known_models():
    """4.4 billion multiplications an image for B/32, 81.1 for L/14 (open_clip's model profile, in GMACs).

    Of the last block's products for each patch, four for attention and eight for the perceptron of D x D, two are
    needed, those for keys and values.
    """
    for name, theirs, patches, width in (("ViT-B-32", 4.4, 49, 768), ("ViT-L-14", 81.1, 256, 1024)):
        unneeded = patches * (2 + 8) * width**2 / 1e9
        assert image_flops(preset(name)) / 2e9 == pytest.approx(theirs - unneeded, rel=0.01)
