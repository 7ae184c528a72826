"""Folders of OWL-ViT and OWLv2: what is read, and what is refused in one line."""

import json

import ml_dtypes
import numpy as np
import pytest
from support.detectors import PATCH, SIZE, tiny_detector, write_folder
from support.images import noise_image

from negjax.errors import NegjaxError
from negjax.models.clip import flatten_params
from negjax.models.detector_presets import DETECTORS, with_known_name
from negjax.weights.detector import read_detector
from negjax.weights.families.owl import read_owl_config

FAMILIES = ("owlvit", "owlv2")
WIDER = {"image_size": SIZE, "patch_size": PATCH, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDER |= {"hidden_size": 64, "intermediate_size": 64}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_is_read_as_it_was_written(family, tmp_path):
    detector = tiny_detector(family)
    read = read_detector(write_folder(tmp_path, detector))
    assert read.config == detector.config
    before, after = flatten_params(detector.params), flatten_params(read.params)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    assert read.to_pixels(noise_image(0, (70, 50))).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("name", DETECTORS)
def test_presets_are_those_of_the_hub(name):
    """By config.json of google/NAME: what is not in it has the default of transformers."""
    config = DETECTORS[name]
    large = "large" in name
    towers = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    sizes = {"image_size": config.vision.image_size, "patch_size": config.vision.patch_size}
    content = {
        "vision_config": {**(towers if large else {}), **sizes},
        "text_config": text if large else {},
        "projection_dim": 768 if large else 512,
    }
    read = read_owl_config(content, config.family)
    assert read.name == "custom"
    assert with_known_name(read) == config


def test_half_precision_is_read(tmp_path):
    folder = write_folder(tmp_path, tiny_detector(), dtype="bfloat16")
    read = flatten_params(read_detector(folder).params)
    for path, value in flatten_params(tiny_detector().params).items():
        assert np.array_equal(read[path], value.astype(ml_dtypes.bfloat16).astype(np.float32))


def change(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in (content | changes).items() if value is not None}))


@pytest.mark.parametrize(
    ("family", "file", "changes", "message"),
    [
        ("owlvit", "config.json", {"model_type": "clip"}, r"config.json: model_type 'clip' is no detector: give the"),
        ("owlvit", "config.json", {"vision_config": {"image_size": 0}}, r"config.json: vision_config.image_size is 0"),
        ("owlvit", "config.json", {"projection_dim": 24}, r"config.json: custom: queries have 24 channels, the class"),
        ("owlvit", "config.json", {"text_config": []}, r"config.json: text_config is \[\]: it must be an object"),
        ("owlvit", "preprocessor_config.json", {"size": 32}, r"preprocessor_config.json: size is 32, and the model"),
        ("owlvit", "preprocessor_config.json", {"do_pad": True}, r"_config.json: do_pad is true: not supported"),
        ("owlv2", "preprocessor_config.json", {"do_pad": False}, r"_config.json: do_pad is false: not supported"),
        (
            "owlv2",
            "preprocessor_config.json",
            {"image_processor_type": "CLIPImageProcessor"},
            r"unsupported image_pr",
        ),
        ("owlv2", "preprocessor_config.json", {"do_resize": False}, r"_config.json: do_resize is false: not supported"),
        ("owlvit", "config.json", {"vision_config": WIDER}, r"_embedding is \[32\] instead of \[64\]; .* and \d+ more"),
    ],
)
def test_wrong_folders(family, file, changes, message, tmp_path):
    folder = write_folder(tmp_path, tiny_detector(family))
    change(folder / file, **changes)
    with pytest.raises(NegjaxError, match=message) as error:
        read_detector(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", r"cannot read .*config.json: No such file"),
        ("preprocessor_config.json", r"has no preprocessor_config.json or processor_config.json, which say how its"),
        ("model.safetensors", r"holds neither checkpoints of negjax nor weights"),
    ],
)
def test_incomplete_folders(missing, message, tmp_path):
    folder = write_folder(tmp_path, tiny_detector())
    (folder / missing).unlink()
    with pytest.raises(NegjaxError, match=message):
        read_detector(folder)
    with pytest.raises(NegjaxError, match="is not a folder: give that of an OWL-ViT or OWLv2"):
        read_detector(folder / missing)
